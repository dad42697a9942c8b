/**
 * `npm run check:deploy`: what deploy/ holds, read by the programs that are made to read it, each built from its Go module.
 * Needs Go and a module proxy; takes minutes the first time. Writes `rendered.yaml`, which `npm test` looks at.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { CHART, chartHash, expressions, RENDERED, REPOSITORY } from "./manifests.ts";

const GO_MODULE = join(import.meta.dirname, "go");
/** Whose published OpenAPI documents and resource definitions manifests are held to. */
const KUBERNETES = "k8s.io/kubernetes@v1.34.1";
const PROMETHEUS_OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0";
const KUBERNETES_VERSION = "1.34.1";
/** Of a cold build of Helm on a slow machine; of any other program. */
const BUILD_TIMEOUT_MS = 15 * 60_000;
const RUN_TIMEOUT_MS = 60_000;

/** Values that turn parts on and off. The first is what `rendered.yaml` shows. */
const VARIANTS: readonly string[][] = [
  ["observe.enabled=true", "sweep.enabled=true", "serviceMonitor.enabled=true"],
  [],
  ["dashboard.enabled=true", "nodes.replicas=1", "networkPolicy.enabled=false", "network.accessMode=ReadWriteMany"],
  [
    "execution.url=https://el.example:8551",
    "nodes.replicas=100",
    "genesis.validators=64",
    "results.storageClassName=nfs",
  ],
];

const scratch = mkdtempSync(join(tmpdir(), "msgbus-check-deploy-"));
let failed = 0;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function check(name: string, command: string, args: readonly string[], input?: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: REPOSITORY,
    encoding: "utf8",
    timeout: RUN_TIMEOUT_MS,
    maxBuffer: 64 * 1024 * 1024,
    ...(input === undefined ? {} : { input }),
  });
  const good = status === 0;
  if (!good) failed++;
  say(`${good ? "ok    " : "FAILED"} ${name}`);
  if (!good) say(`${error?.message ?? ""}${stderr}${stdout}`.trim());
  return stdout;
}

type Schema = { [key: string]: unknown };

/** As an API server reads with strict field validation: what no schema names is refused. `refsTo` moves references. */
function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict);
  if (typeof schema !== "object" || schema === null) return schema;
  const copy: Schema = {};
  for (const [key, value] of Object.entries(schema)) {
    copy[key] = key === "$ref" ? String(value).replace("#/components/schemas/", "#/definitions/") : strict(value);
  }
  const isOpen = "additionalProperties" in copy || copy["x-kubernetes-preserve-unknown-fields"] === true;
  if (typeof copy.properties === "object" && !isOpen) copy.additionalProperties = false;
  return copy;
}

/** Writes one JSON schema a kind, named as kubeconform looks for it. */
function writeSchemas(dir: string): void {
  mkdirSync(dir);
  const write = (kind: string, group: string, version: string, schema: Schema) => {
    const name = [kind, ...(group === "" ? [] : [group.split(".")[0]]), version].join("-").toLowerCase();
    writeFileSync(join(dir, `${name}.json`), JSON.stringify(schema));
  };
  const documents = join(moduleDir(KUBERNETES), "api/openapi-spec/v3");
  for (const file of [
    "api__v1",
    "apis__apps__v1",
    "apis__batch__v1",
    "apis__networking.k8s.io__v1",
    "apis__policy__v1",
  ]) {
    const { components } = JSON.parse(readFileSync(join(documents, `${file}_openapi.json`), "utf8"));
    const definitions = strict(components.schemas) as Record<string, Schema>;
    for (const [name, schema] of Object.entries(definitions)) {
      for (const { group, version, kind } of (schema["x-kubernetes-group-version-kind"] ?? []) as Record<
        string,
        string
      >[]) {
        write(kind as string, group as string, version as string, { $ref: `#/definitions/${name}`, definitions });
      }
    }
  }
  const crds = join(moduleDir(PROMETHEUS_OPERATOR), "example/prometheus-operator-crd");
  for (const file of readdirSync(crds).filter((name) => /_(servicemonitors|prometheusrules)\.yaml$/.test(name))) {
    const { spec } = parse(readFileSync(join(crds, file), "utf8"));
    for (const { name, schema } of spec.versions) {
      const own = strict(schema.openAPIV3Schema) as { properties: Schema };
      // The resource definition leaves an object's metadata to the API server.
      own.properties.metadata = { type: "object" };
      write(spec.names.kind, spec.group, name, own as Schema);
    }
  }
}

function moduleDir(module: string): string {
  const text = execFileSync("go", ["mod", "download", "-json", module], {
    cwd: GO_MODULE,
    encoding: "utf8",
    timeout: BUILD_TIMEOUT_MS,
    stdio: ["ignore", "pipe", "ignore"],
  });
  return JSON.parse(text).Dir;
}

function hasGo(): boolean {
  return spawnSync("go", ["version"], { timeout: RUN_TIMEOUT_MS }).status === 0;
}

function main(): void {
  const programs = ["helm.sh/helm/v3/cmd/helm", "github.com/yannh/kubeconform/cmd/kubeconform", "."];
  const bin = join(scratch, "bin");
  execFileSync("go", ["build", "-o", `${bin}/`, ...programs], {
    cwd: GO_MODULE,
    stdio: ["ignore", "ignore", "inherit"],
    timeout: BUILD_TIMEOUT_MS,
  });
  const [helm, kubeconform, reader] = ["helm", "kubeconform", "go"].map((name) => join(bin, name)) as [
    string,
    string,
    string,
  ];
  const schemas = join(scratch, "schemas");
  writeSchemas(schemas);

  for (const [index, values] of VARIANTS.entries()) {
    const settings = values.flatMap((value) => ["--set", value]);
    const title = values.join(" ") || "defaults";
    const shared = ["--kube-version", KUBERNETES_VERSION];
    check(`helm lint: ${title}`, helm, ["lint", CHART, "--strict", "--quiet", ...shared, ...settings]);
    const text = check(`helm template: ${title}`, helm, ["template", "msgbus", CHART, ...shared, ...settings]);
    const location = join(schemas, "{{ .ResourceKind }}{{ .KindSuffix }}.json");
    check(`kubeconform: ${title}`, kubeconform, ["-strict", "-summary", "-schema-location", location, "-"], text);
    if (index > 0) continue;
    const header = `# Written by npm run check:deploy: the chart with ${title}.\n# chart ${chartHash()}\n`;
    writeFileSync(join(REPOSITORY, RENDERED), header + text);
  }
  // A check that cannot fail checks nothing.
  const wrong = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {portz: []}\n";
  const args = ["-strict", "-schema-location", join(schemas, "{{ .ResourceKind }}{{ .KindSuffix }}.json"), "-"];
  if (spawnSync(kubeconform, args, { input: wrong, timeout: RUN_TIMEOUT_MS }).status === 0) {
    failed++;
    say("FAILED kubeconform: takes a field that no Service has");
  }

  check("compose file: compose-go", reader, ["compose", "deploy/compose.yaml"]);
  check("Dockerfile: BuildKit's parser and linter", reader, ["dockerfile", "deploy/Dockerfile"]);
  check("alert rules: Prometheus' rule reader", reader, ["rules", `${CHART}/files/rules.yml`]);
  const queries = join(scratch, "queries");
  writeFileSync(queries, `${expressions().join("\n")}\n`);
  check("dashboard and alerts: PromQL's parser", reader, ["promql", queries]);
}

if (hasGo()) {
  try {
    main();
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  if (failed > 0) process.exitCode = 1;
  say(failed === 0 ? "all of deploy/ is sound" : `${failed} failed`);
} else {
  rmSync(scratch, { recursive: true, force: true });
  say(
    "Go is missing: it builds Helm, kubeconform and the readers of compose files, Dockerfiles and PromQL. See go.dev/doc/install.",
  );
  process.exitCode = 1;
}
