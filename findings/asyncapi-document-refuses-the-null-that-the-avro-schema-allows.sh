#!/usr/bin/env bash
# Believed: the JSON Schema that AsyncAPI's Avro parser makes of a schema accepts what the schema accepts.
# Is so: a named type that was defined before and comes again inside a union is turned into {}, "anything".
#   ["null", "Field"] becomes oneOf of anything and null: null fits both, and oneOf wants exactly one, so the
#   null (the field's own default) is refused; a number, a list, any wrong word passes. Outside a union the name
#   is found. A type that is written out inside the union is right too, so the first optional field of a schema
#   works and the second does not.
# Matters: the document of topics is generated from the schemas and is what subscribers validate with. One
#   enumeration used twice (field of service, channel) makes every event without it invalid for them.
# Version, date: @asyncapi/avro-schema-parser 3.1.0, judged by ajv 8.17.1; seen 2026-11-30.
# Source of the right value: Apache Avro specification, "Names": a name is a reference to the type defined
#   before; JSON Schema, oneOf: valid against exactly one.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @asyncapi/avro-schema-parser@3.1.0 ajv@8.17.1
cat >judge.cjs <<'JS'
const { avroToJsonSchema } = require("@asyncapi/avro-schema-parser");
const Ajv = require("ajv");
for (const p of ["@asyncapi/avro-schema-parser", "ajv"]) console.log(p, require(`${p}/package.json`).version);
const field = { type: "enum", name: "Field", symbols: ["care", "rescue"] };
const schema = (first, again) => ({ type: "record", name: "Hours", fields: [
  { name: "field", type: first }, { name: "second_field", type: again, default: null }] });
(async () => {
  let as = true;
  async function judge(what, avro, value, expected, recorded) {
    const ajv = new Ajv({ strict: false });
    const seen = ajv.validate(await avroToJsonSchema(avro), value);
    console.log(`${what}: ${JSON.stringify(value)} expected ${expected}, seen ${seen}`);
    as = as && seen === recorded;
  }
  const twice = () => schema(structuredClone(field), ["null", "Field"]);
  const once = () => schema("string", ["null", structuredClone(field)]);
  await judge("name again in a union", twice(), { field: "care", second_field: null }, true, false);
  await judge("name again in a union", twice(), { field: "care", second_field: "rescue" }, true, true);
  await judge("name again in a union", twice(), { field: "care", second_field: 41 }, false, true);
  await judge("name again in a union", twice(), { field: 41, second_field: "care" }, false, false);
  await judge("written out in the union", once(), { field: "x", second_field: null }, true, true);
  await judge("written out in the union", once(), { field: "x", second_field: 41 }, false, false);
  console.log(as ? "as recorded" : "CHANGED");
  process.exit(as ? 0 : 1);
})();
JS
node judge.cjs
