// Reads POST /info of daemons with Hyperliquid's public SDK.
// A line in: {"url","method","params"} to read, or {"method","reply"} to check what is known already.
// A line out, in the same order: {"method","params","reply","faults":[…],"status"}; status is that of HTTP
// where the SDK raised an error for it.
import { createInterface } from "node:readline";
import { HttpTransport, InfoClient } from "@nktkas/hyperliquid";
import { replyChecker } from "./schema.mjs";

const faultsOf = replyChecker();

for await (const line of createInterface({ input: process.stdin })) {
  const { url, method, params, reply } = JSON.parse(line);
  const answer = { method, params, reply, faults: [] };
  try {
    if (reply === undefined) {
      const client = new InfoClient({ transport: new HttpTransport({ apiUrl: url }) });
      answer.reply = await (params ? client[method](params) : client[method]());
    }
    answer.faults = faultsOf(method, answer.reply);
  } catch (error) {
    answer.status = error.response?.status;
    answer.faults = [`${error.name}: ${error.message}`];
  }
  console.log(JSON.stringify(answer));
}
