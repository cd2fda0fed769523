// Workflows that the tests run.
"use strict";

/** Names and texts that would do harm if anything forgot to escape them. */
const HOSTILE = `</textarea></title></script><script>alert(1)</script><img src=x onerror=alert(2)>"'&lt;`;

/** A workflow in which everything happens: successes, a failure, an approval, a full pool, a for_each, a late task. */
const CHURN = `
name: churn
description: Who leaves, and why? Trains three models on the customers of last quarter and publishes the best.
client_id: insights
sla: {workflow_max_seconds: 900}
inputs: {path: data/customers.csv, folds: 5}
tasks:
  - {id: load_customers, agent: data_agent, action: load_dataset, params: {path: "\${inputs.path}", seconds: 0.3, output: {parts: [north, south, east, west]}}}
  - {id: profile, agent: data_agent, action: profile_data, depends_on: [load_customers], params: {seconds: 0.6}}
  - {id: clean, agent: data_agent, action: clean_data, depends_on: [load_customers], for_each: "tasks.load_customers.output.parts", params: {part: "\${item}", seconds: 0.3}}
  - {id: split, agent: data_agent, action: split, depends_on: [clean], params: {seconds: 0.2}}
  - {id: train_logistic, agent: ml_agent, action: train_model, depends_on: [split], params: {seconds: 0.8, lines: 30}, compensate: {action: drop_model}}
  - {id: train_forest, agent: ml_agent, action: train_model, depends_on: [split], params: {seconds: 1.2}}
  - {id: train_bert, agent: ml_agent, action: train_model, depends_on: [split], params: {model: bert, seconds: 900}, sla: {task_max_seconds: 1}}
  - {id: compare, agent: data_agent, action: evaluate, depends_on: [train_logistic, train_forest]}
  - {id: check_drift, agent: data_agent, action: evaluate, depends_on: [profile], params: {fail: true}, retry: {max_retries: 1, backoff_base_s: 0.1}}
  - {id: publish, agent: report_agent, action: publish, depends_on: [compare]}
  - {id: report, agent: report_agent, action: report, depends_on: [publish, profile, train_bert]}
`;

/** A run whose every text is hostile, and that printed a megabyte. */
function hostile() {
  return JSON.stringify({
    name: "hostile",
    description: HOSTILE,
    inputs: { x: HOSTILE },
    tasks: [
      { id: "loud", agent: "data_agent", action: "load", params: { say: HOSTILE + "\u001b]8;;javascript:alert(3)\u0007link\u001b]8;;\u0007", lines: 16000, x: HOSTILE, output: { [HOSTILE]: HOSTILE } } },
      { id: "a".repeat(128), agent: "fail", action: "b.c-d_e", depends_on: ["loud"], params: { class: "permanent", message: HOSTILE } },
    ],
  });
}

/** `layers` layers of `width` tasks, each behind two of the layer before. */
function layered(name, layers, width, { agent = "noop", kinds = 1, params = {} } = {}) {
  const tasks = [];
  for (let layer = 0; layer < layers; layer += 1) {
    for (let index = 0; index < width; index += 1) {
      const upstream = layer === 0 ? [] : [...new Set([index, (index * 7 + layer) % width])];
      tasks.push({
        id: `step_${layer}_${index}`,
        agent,
        action: `work_${(layer * width + index) % kinds}`,
        depends_on: upstream.map((above) => `step_${layer - 1}_${above}`),
        params,
      });
    }
  }
  return JSON.stringify({ name, tasks });
}

module.exports = { CHURN, HOSTILE, hostile, layered };
