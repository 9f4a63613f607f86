// Reads manifests (a JSON list) and says what their published schemas do not accept; ends with 1 where there is anything.
//
// Two questions, because the API server drops unknown fields in silence: does the schema's own validator take each value,
// and does TypeScript, on the schema's types, know each field?
import { fileURLToPath } from "node:url";
import ts from "typescript";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const PACKAGES = {
  "kafka.strimzi.io": "@kubernetes-models/strimzi-kafka-operator",
  "keda.sh": "@kubernetes-models/keda",
  "monitoring.coreos.com": "@kubernetes-models/prometheus-operator",
  "postgresql.cnpg.io": "@kubernetes-models/cloudnative-pg",
};

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const manifests = JSON.parse(Buffer.concat(chunks).toString());
// The plugin for backups publishes none here; what stands in its configuration is the database operator's own.
const STORED = "@kubernetes-models/cloudnative-pg/github.com/cloudnative-pg/barman-cloud/pkg/api/BarmanObjectStoreConfiguration";
const nameOf = (manifest) => `${manifest.kind} ${manifest.metadata?.name}`;
const typed = (manifest) =>
  manifest.kind === "ObjectStore"
    ? { module: STORED, kind: "BarmanObjectStoreConfiguration", value: manifest.spec.configuration }
    : { module: moduleOf(manifest), kind: manifest.kind, value: manifest };
const moduleOf = ({ apiVersion, kind }) => {
  const known = PACKAGES[apiVersion.split("/")[0]];
  if (!known) throw new Error(`no published schema is known for ${apiVersion} ${kind}`);
  return `${known}/${apiVersion}/${kind}`;
};

const faults = [];
for (const manifest of manifests) {
  const { module, kind, value } = typed(manifest);
  const published = await import(module);
  try {
    new published[kind](value).validate();
  } catch (error) {
    faults.push(`${nameOf(manifest)}: ${error.message}`);
  }
}

const asked = `${HERE}manifests.mts`;
const text = manifests
  .map(typed)
  .flatMap(({ module, kind, value }, place) => [
    `import type { I${kind} as T${place} } from ${JSON.stringify(module)};`,
    `export const m${place}: T${place} = ${JSON.stringify(value)};`,
  ]);
const options = {
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  noEmit: true,
  skipLibCheck: true,
  strict: true,
  target: ts.ScriptTarget.ES2022,
  types: [],
};
const host = ts.createCompilerHost(options);
const read = host.getSourceFile;
host.getSourceFile = (path, ...rest) =>
  path === asked ? ts.createSourceFile(path, text.join("\n"), options.target) : read.call(host, path, ...rest);
for (const found of ts.getPreEmitDiagnostics(ts.createProgram([asked], options, host))) {
  const line = found.file?.fileName === asked ? found.file.getLineAndCharacterOfPosition(found.start).line : 0;
  faults.push(`${nameOf(manifests[line >> 1])}: ${ts.flattenDiagnosticMessageText(found.messageText, " ")}`);
}

console.log(faults.length ? faults.join("\n") : `${manifests.length} manifests fit their schemas`);
process.exitCode = faults.length ? 1 : 0;
