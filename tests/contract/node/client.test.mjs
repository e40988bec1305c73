// The official npm package, unmodified, against the live site that conformance/test_clients.py started.
import assert from "node:assert/strict";
import http from "node:http";
import { test } from "node:test";
import Replicate, { validateWebhook } from "replicate";

const { SITE, TOKEN, ECHO, WORDS, FILES, SLOW, OFFICIAL, LEARNER } = process.env;
const replicate = new Replicate({ auth: TOKEN, baseUrl: `${SITE}/v1`, useFileOutput: false });
const withFiles = new Replicate({ auth: TOKEN, baseUrl: `${SITE}/v1` });
const unique = (prefix) => `${prefix}-${Math.random().toString(36).slice(2, 10)}`;
const versionOf = (reference) => reference.split(":")[1];

test("run in both modes returns the output", async () => {
  for (const wait of [{ mode: "block" }, { mode: "poll", interval: 50 }]) {
    assert.equal(await replicate.run(ECHO, { input: { text: "hello" }, wait }), "hello");
  }
});

test("run by name reaches an official model", async () => {
  assert.equal(await replicate.run(OFFICIAL, { input: { text: "named" } }), "named");
});

test("run of an iterator returns its items", async () => {
  assert.deepEqual(await replicate.run(WORDS, { input: { count: 2 } }), ["word0 ", "word1 "]);
});

test("stream yields words and then done", async () => {
  const events = [];
  for await (const event of replicate.stream(WORDS, { input: { count: 3 } })) events.push(event);
  assert.deepEqual(events.map((event) => event.event), ["output", "output", "output", "done"]);
  assert.equal(events.slice(0, 3).map(String).join(""), "word0 word1 word2 ");
});

test("a failing stream throws", async () => {
  await assert.rejects(async () => {
    for await (const _ of replicate.stream(WORDS, { input: { count: 3, fail_at: 1 } }));
  }, /asked to fail at word 1/);
});

test("a prediction is created, canceled and listed", async () => {
  const prediction = await replicate.predictions.create({ version: versionOf(SLOW), input: { seconds: 60 } });
  assert.equal(prediction.status, "starting");
  const canceled = await replicate.predictions.cancel(prediction.id);
  assert.equal(canceled.status, "canceled");
  const pages = replicate.paginate(replicate.predictions.list);
  const first = (await pages.next()).value;
  assert.ok(first.some((listed) => listed.id === prediction.id));
});

test("an aborted run cancels its prediction", async () => {
  const controller = new AbortController();
  let id;
  const run = replicate.run(SLOW, { input: { seconds: 60 }, signal: controller.signal, wait: { mode: "poll", interval: 50 } },
    (prediction) => { id = prediction.id; controller.abort(); });
  await run.catch(() => {});
  assert.equal((await replicate.predictions.get(id)).status, "canceled");
});

test("files are uploaded by run, and made", async () => {
  const [url] = await replicate.run(FILES, { input: { source: Buffer.from("payload"), count: 1 } });
  assert.equal(await (await fetch(url)).text(), "payload#0");
});

test("outputs are files that can be read", async () => {
  const [file] = await withFiles.run(FILES, { input: { source: Buffer.from("payload"), count: 1 } });
  assert.ok(String(file.url()).startsWith("https://"));
  assert.equal(await (await file.blob()).text(), "payload#0");
});

test("a deployment is made, changed, listed and run", async () => {
  const name = unique("js");
  const made = await replicate.deployments.create({
    name, model: "nina/echo", version: versionOf(ECHO), hardware: "cpu", min_instances: 0, max_instances: 1,
  });
  assert.equal(made.current_release.number, 1);
  const changed = await replicate.deployments.update("nina", name, { max_instances: 2 });
  assert.equal(changed.current_release.number, 2);
  assert.ok((await replicate.deployments.list()).results.some((listed) => listed.name === name));
  assert.equal((await replicate.deployments.get("nina", name)).name, name);
  const prediction = await replicate.deployments.predictions.create("nina", name, { input: { text: "deployed" } });
  assert.equal((await replicate.wait(prediction, { interval: 50 })).output, "deployed");
});

test("a training is made, read, listed and canceled", async () => {
  const destination = unique("js-trained");
  await replicate.models.create("nina", destination, { visibility: "private", hardware: "cpu" });
  const training = await replicate.trainings.create("nina", "learner", versionOf(LEARNER), {
    destination: `nina/${destination}`, input: { text: "data:text/plain;base64,aGVsbG8=", seconds: 60 },
  });
  assert.equal((await replicate.trainings.get(training.id)).id, training.id);
  assert.ok((await replicate.trainings.list()).results.some((listed) => listed.id === training.id));
  assert.equal((await replicate.trainings.cancel(training.id)).status, "canceled");
});

test("files have metadata", async () => {
  const file = await replicate.files.create(Buffer.from("hello"), { kind: "greeting" });
  assert.deepEqual(file.metadata, { kind: "greeting" });
  assert.equal(file.size, 5);
  assert.equal(await replicate.files.delete(file.id), true);
});

test("models are found, read and listed", async () => {
  const found = await replicate.models.search("echo");
  assert.ok(found.results.some((model) => model.name === "echo"));
  const model = await replicate.models.get("nina", "echo");
  assert.equal(model.latest_version.id, versionOf(ECHO));
  const versions = await replicate.models.versions.list("nina", "echo");
  assert.equal(versions.results[0].id, versionOf(ECHO));
  assert.equal((await replicate.hardware.list()).length > 0, true);
  assert.equal((await replicate.accounts.current()).username, "nina");
});

test("a webhook that was really delivered validates", async () => {
  const secret = await replicate.webhooks.default.secret.get();
  const delivered = new Promise((resolve) => {
    const server = http.createServer((request, response) => {
      const chunks = [];
      request.on("data", (chunk) => chunks.push(chunk));
      request.on("end", () => {
        response.end();
        server.close();
        resolve({ headers: request.headers, body: Buffer.concat(chunks).toString() });
      });
    }).listen(0, "127.0.0.1", async () => {
      const webhook = `http://127.0.0.1:${server.address().port}/`;
      await replicate.predictions.create({
        version: versionOf(ECHO), input: { text: "x" }, webhook, webhook_events_filter: ["completed"],
      });
    });
  });
  const { headers, body } = await delivered;
  const parts = { id: headers["webhook-id"], timestamp: headers["webhook-timestamp"], signature: headers["webhook-signature"], body };
  assert.equal(await validateWebhook({ ...parts, secret: secret.key }), true);
  assert.equal(await validateWebhook({ ...parts, body: `${body} `, secret: secret.key }), false);
});
