// What promptfoo says about outputs: node promptfoo.mjs < tests.json > answers.json
// A test is {assert, threshold, vars, output}; an answer is [pass, score], or null where promptfoo fails.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

process.env.PROMPTFOO_DISABLE_TELEMETRY = "1";
process.env.PROMPTFOO_DISABLE_UPDATE = "1";
const found = createRequire(`${process.cwd()}/`).resolve("promptfoo");
const { assertions } = (await import(pathToFileURL(found).href)).default;
let given = "";
for await (const part of process.stdin) given += part;
const answers = [];
for (const { output, ...test } of JSON.parse(given)) {
  try {
    const { pass, score } = await assertions.runAssertions({ test, providerResponse: { output } });
    answers.push([pass, score]);
  } catch {
    answers.push(null);
  }
}
process.stdout.write(JSON.stringify(answers), () => process.exit(0));
