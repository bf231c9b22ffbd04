// Writes orders, cancels, deposits, withdrawals and fills as the records of docs/WIRE.md. In: a line
// {"accounts":{name:slot},"markets":{…},"tokens":{…}} with the slots that the daemon's reads tell, then
// commands as POST /v1/commands takes them, one a line. Out: each record in hex.
import { readFileSync } from "node:fs";

const kinds = { deposit: 9, withdraw: 10, order: 18, cancel: 20, fill: 24 };
const flags = { sell: 1, reduce_only: 2, trigger: 4, is_market: 8, tp: 16, order_id: 1 << 7, fee: 1 << 8 };

function encode(c, slots) {
  const record = new DataView(new ArrayBuffer(128)); // little-endian: the last argument of each set
  const has = { ...c, ...c.trigger, [c.side]: true, [c.trigger?.tpsl]: true };
  const id = (text, at, formAt) => { // 1 an integer, 2 0x and 32 digits, 3 a UUID; high half first
    const form = text.startsWith("0x") ? 2 : text.includes("-") ? 3 : 1;
    const value = BigInt(form === 3 ? "0x" + text.replaceAll("-", "") : text);
    record.setBigUint64(at, value >> 64n, true);
    record.setBigUint64(at + 8, BigInt.asUintN(64, value), true);
    record.setUint8(formAt, form);
  };
  const slot = (list, name, at) => record.setUint32(at, list[name] ?? 0xffffffff, true); // of no such name
  [c.amount ?? c.size, c.price, c.trigger?.price ?? c.fee].forEach((text = "0", i) => {
    const [whole, part = ""] = text.split("."); // "60000.5" is 600005 and 1 decimal
    record.setBigInt64(48 + 8 * i, BigInt(whole + part), true);
    record.setUint8(96 + i, part.length);
  });
  if (c.time) record.setBigUint64(8, BigInt(c.time), true);
  if (c.id) id(c.id, 16, 114);
  if (c.order_id) id(c.order_id, 32, 115);
  slot(slots.accounts, c.account, 80);
  if (c.market) slot(slots.markets, c.market, 88);
  if (c.token || c.type === "fill") slot(slots.tokens, c.token ?? c.fee_token, 92);
  record.setUint8(100, kinds[c.type]);
  record.setUint16(102, Object.keys(flags).reduce((sum, k) => sum + (has[k] ? flags[k] : 0), 0), true);
  return Buffer.from(record.buffer).toString("hex");
}

const [first, ...commands] = readFileSync(0, "utf8").trim().split("\n");
for (const line of commands) console.log(encode(JSON.parse(line), JSON.parse(first)));
