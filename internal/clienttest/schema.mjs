// What the SDK says that the venue replies, as JSON Schema: it publishes replies as TypeScript
// types with a @pattern for each decimal. A key that a type does not have is a fault.
import { fileURLToPath } from "node:url";
import Ajv from "ajv";
import { createGenerator } from "ts-json-schema-generator";

const types = fileURLToPath(import.meta.resolve("@nktkas/hyperliquid/api/info")).replace(/\.js$/, ".d.ts");

// replyChecker returns a function that lists the faults of a reply to a method of the SDK.
export function replyChecker() {
  const generator = createGenerator({
    path: types, skipTypeCheck: true, jsDoc: "extended", additionalProperties: false, encodeRefs: false,
  });
  const ajv = new Ajv({ strict: false, allErrors: true });
  const compiled = new Map();
  return (method, reply) => {
    if (!compiled.has(method)) {
      const name = method[0].toUpperCase() + method.slice(1) + "Response";
      compiled.set(method, ajv.compile(generator.createSchema(name)));
    }
    const isRight = compiled.get(method);
    if (isRight(reply)) return [];
    return isRight.errors.map((e) => `${e.instancePath || "/"}: ${e.message} ${JSON.stringify(e.params)}`);
  };
}
