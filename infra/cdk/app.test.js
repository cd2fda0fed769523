// What CDK makes of the template is the template: nothing lost, nothing changed, references resolved.
const assert = require("node:assert");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const test = require("node:test");
const { App } = require("aws-cdk-lib");
const { Orchestrator } = require("./app.js");

const TEMPLATE = path.join(__dirname, "..", "template.yaml");

const outdir = fs.mkdtempSync(path.join(os.tmpdir(), "orchestrator-cdk-"));
test.after(() => fs.rmSync(outdir, { recursive: true }));

const app = new App({ outdir, context: { "aws:cdk:disable-stack-trace": true } });
const stack = new Orchestrator(app, "Orchestrator", { template: TEMPLATE });
const synthesized = app.synth().getStackByName("Orchestrator").template;

/** Logical ids and types, read from the text: one resource begins with two blanks, its type with four. */
function resources(text) {
  const found = {};
  let id;
  for (const line of text.slice(text.indexOf("\nResources:"), text.indexOf("\nOutputs:")).split("\n")) {
    id = line.match(/^ {2}(\w+):$/)?.[1] ?? id;
    const type = line.match(/^ {4}Type: (\S+)$/)?.[1];
    if (type) found[id] = type;
  }
  return found;
}

test("every resource of the template is there", () => {
  const expected = resources(fs.readFileSync(TEMPLATE, "utf8"));
  assert.ok(Object.keys(expected).length > 50);
  for (const [id, type] of Object.entries(expected)) {
    assert.strictEqual(synthesized.Resources[id]?.Type, type, id);
  }
});

test("the transform of SAM, conditions and events of functions survive", () => {
  assert.strictEqual(synthesized.Transform, "AWS::Serverless-2016-10-31");
  assert.strictEqual(synthesized.Resources.JwtAuthorizer.Condition, "UsesJwt");
  const events = synthesized.Resources.DecisionFunction.Properties.Events.Decisions.Properties;
  assert.deepStrictEqual(events.FunctionResponseTypes, ["ReportBatchItemFailures"]);
  assert.deepStrictEqual(events.ScalingConfig, { MaximumConcurrency: { Ref: "DecisionConcurrency" } });
  assert.strictEqual(synthesized.Resources.DecisionFunction.Metadata.BuildProperties.Binary, "decision");
});

test("parameters are given and resources referred to", () => {
  assert.strictEqual(synthesized.Parameters.Stage, undefined);
  assert.ok(JSON.stringify(synthesized.Resources.Monitoring.Properties.Parameters.AlarmTopic).includes("Alarms"));
  assert.ok(stack.included.getResource("Table"));
  assert.ok(JSON.stringify(synthesized.Resources).includes('"dynamodb:Query"'));
});
