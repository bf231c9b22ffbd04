"""Writes orders, cancels, deposits, withdrawals and fills as the records of docs/WIRE.md; see encode.mjs."""
import json, struct, sys

KINDS = {"deposit": 9, "withdraw": 10, "order": 18, "cancel": 20, "fill": 24}
FLAGS = {"sell": 1, "reduce_only": 2, "trigger": 4, "is_market": 8, "tp": 16, "order_id": 1 << 7, "fee": 1 << 8}
RECORD = struct.Struct("<QQ2Q2Q4q4I4BBBHHHIHBB2HQ")  # the table of docs/WIRE.md, field by field
NONE = 0xFFFFFFFF  # the slot of no such name


def number(text):  # "60000.5" is 600005 and 1 decimal
    whole, _, part = (text or "0").partition(".")
    return int(whole + part), len(part)


def identity(text):  # high half, low half, form: 1 an integer, 2 0x and 32 digits, 3 a UUID
    if not text:
        return 0, 0, 0
    form = 2 if text.startswith("0x") else 3 if "-" in text else 1
    value = int(text.replace("-", ""), 10 if form == 1 else 16)
    return value >> 64, value & (1 << 64) - 1, form


def encode(c, slots):
    trigger = c.get("trigger", {})
    has = {**c, **trigger, c.get("side"): True, trigger.get("tpsl"): True}
    flags = sum(bit for name, bit in FLAGS.items() if has.get(name))
    texts = c.get("amount") or c.get("size"), c.get("price"), trigger.get("price") or c.get("fee"), None
    nums, decimals = zip(*map(number, texts))
    *number_id, id_form = identity(c.get("id"))
    *order_id, order_form = identity(c.get("order_id"))
    market = slots["markets"].get(c["market"], NONE) if "market" in c else 0
    token = slots["tokens"].get(c.get("token") or c.get("fee_token"), NONE) if "token" in c or c["type"] == "fill" else 0
    refs = slots["accounts"].get(c["account"], NONE), 0, market, token
    return RECORD.pack(0, c.get("time", 0), *number_id, *order_id, *nums, *refs, *decimals,
                       KINDS[c["type"]], 0, flags, 0, 0, 0, 0, id_form, order_form, 0, 0, 0)


first, *commands = sys.stdin
for line in commands:
    print(encode(json.loads(line), json.loads(first)).hex())
