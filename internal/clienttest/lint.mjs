// Lints OpenAPI documents, compiles every schema in them, and checks replies against what they say
// of them. A line in: {"document",replies:[{"path","method","status","reply"}]}; a line out: its faults.
import { createInterface } from "node:readline";
import { Validator } from "@seriousme/openapi-schema-validator";
import Ajv2020 from "ajv/dist/2020.js";

async function faultsOf({ document, replies }) {
  const faults = [];
  const validator = new Validator();
  const result = await validator.validate(structuredClone(document));
  if (!result.valid) {
    for (const e of [result.errors].flat()) faults.push(typeof e === "string" ? e : `${e.instancePath}: ${e.message}`);
  }
  if (validator.version !== "3.1") faults.push(`version ${validator.version}, want 3.1`);

  // An unknown key of a schema is a fault; a schema may leave its type open.
  const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, allErrors: true });
  ajv.addVocabulary(["openapi", "info", "servers", "tags", "paths", "components", "security", "discriminator"]);
  ajv.addSchema(document, "contract");
  const compile = (name, ...keys) => {
    const escaped = keys.map((k) => encodeURIComponent(k.replaceAll("~", "~0").replaceAll("/", "~1")));
    try {
      const compiled = ajv.getSchema("contract#/" + escaped.join("/"));
      if (!compiled) faults.push(`${name}: nothing is said of it`);
      return compiled;
    } catch (error) {
      faults.push(`${name}: ${error.message}`);
    }
  };
  for (const name of Object.keys(document.components.schemas)) compile(name, "components", "schemas", name);
  for (const name of Object.keys(document.components.parameters)) compile(name, "components", "parameters", name, "schema");

  for (const { path, method, status, reply } of replies ?? []) {
    const name = `${method} ${path} ${status}`;
    const shared = document.paths[path]?.[method]?.responses?.[status]?.$ref;
    const keys = shared ? shared.slice("#/".length).split("/") : ["paths", path, method, "responses", String(status)];
    const isRight = compile(name, ...keys, "content", "application/json", "schema");
    if (isRight && !isRight(reply)) {
      for (const e of isRight.errors) faults.push(`${name}: ${e.instancePath}: ${e.message} ${JSON.stringify(e.params)}`);
    }
  }
  return faults;
}

for await (const line of createInterface({ input: process.stdin })) console.log(JSON.stringify(await faultsOf(JSON.parse(line))));
