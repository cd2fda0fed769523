// The stack of infra/template.yaml as a part of a CDK application: `node app.js` writes cdk.out.
//
// CDK uploads nothing that a template names, so let SAM do it first and include what it writes:
//   sam build && sam package --resolve-s3 --output-template-file infra/cdk/packaged.yaml
//   cd infra/cdk && npm install && TEMPLATE=packaged.yaml npx cdk deploy --app "node app.js"
const path = require("node:path");
const { App, Stack, aws_sns: sns, aws_dynamodb: dynamodb, aws_iam: iam } = require("aws-cdk-lib");
const { CfnInclude } = require("aws-cdk-lib/cloudformation-include");

/** Includes the template and connects it with resources of the application. */
class Orchestrator extends Stack {
  constructor(scope, id, { template, ...properties }) {
    super(scope, id, properties);
    const alarms = new sns.Topic(this, "Alarms", { enforceSSL: true });
    this.included = new CfnInclude(this, "Template", {
      templateFile: template,
      parameters: { Stage: "prod", AlarmTopic: alarms.topicArn },
    });
    // Everything in the template can be referred to: here an auditor who may read the journals.
    const name = this.included.getResource("Table").ref;
    const auditor = new iam.Role(this, "Auditor", { assumedBy: new iam.AccountRootPrincipal() });
    dynamodb.Table.fromTableName(this, "Table", name).grantReadData(auditor);
  }
}

module.exports = { Orchestrator };

if (require.main === module) {
  const app = new App();
  const template = process.env.TEMPLATE ?? path.join(__dirname, "..", "template.yaml");
  new Orchestrator(app, "Orchestrator", { template });
  app.synth();
}
