/** What deploy/ holds, as tests and `npm run check:deploy` read it. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";

export const REPOSITORY = join(import.meta.dirname, "../..");
export const CHART = "deploy/helm/msgbus";
/** The chart with all of its parts on, as Helm renders it: `npm run check:deploy` writes it. */
export const RENDERED = "test/deploy/rendered.yaml";

export const read = (file: string): string => readFileSync(join(REPOSITORY, file), "utf8");

/** Of all that a rendering depends on. */
export function chartHash(): string {
  const hash = createHash("sha256");
  const files = readdirSync(join(REPOSITORY, CHART), { recursive: true, withFileTypes: true });
  const paths = files.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const path of paths.sort()) hash.update(readFileSync(path));
  return hash.digest("hex");
}

/** How a container is started. */
export interface Start {
  readonly where: string;
  /** Command and arguments; the image's own entry point is not among them. */
  readonly words: readonly string[];
}

interface Container {
  readonly name: string;
  readonly command?: string[];
  readonly args?: string[];
}

export interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec?: {
    readonly template?: { readonly spec: { readonly containers: Container[]; readonly initContainers?: Container[] } };
  };
}

export function manifestsOf(text: string): Manifest[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as Manifest | null)
    .filter((manifest) => manifest !== null);
}

export function startsOfManifests(manifests: readonly Manifest[]): Start[] {
  return manifests.flatMap(({ kind, metadata, spec }) =>
    [...(spec?.template?.spec.initContainers ?? []), ...(spec?.template?.spec.containers ?? [])].map(
      ({ name, command = [], args = [] }) => ({
        where: `${kind} ${metadata.name} ${name}`,
        words: [...command, ...args],
      }),
    ),
  );
}

interface Service {
  readonly image: string;
  readonly entrypoint?: string[];
  readonly command?: string[];
}

/** Of the services that are ours. */
export function startsOfCompose(text: string): Start[] {
  const { services } = parse(text, { merge: true }) as { services: Record<string, Service> };
  return Object.entries(services)
    .filter(([, { image }]) => image.startsWith("msgbus"))
    .map(([name, { entrypoint = [], command = [] }]) => ({ where: name, words: [...entrypoint, ...command] }));
}

/** The program that a container runs, with its subcommand: `node`, `measure sweep`, `anvil`; null for a mere shell. */
export function programOf({ words }: Start): string | null {
  if (words.some((word) => word.endsWith("/anvil"))) return "anvil";
  const line = words.join(" ");
  return /(?:^|msgbus\.js )(genesis|node|measure \w+)/.exec(line)?.[1] ?? null;
}

export function flagsOf({ words }: Start): string[] {
  return [...words.join(" ").matchAll(/(?<=^|[\s"])--[a-z][a-z-]*/g)].map(([flag]) => flag);
}

export interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string }[];
}

export interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: unknown }[] };
}

export function readDashboard(): Dashboard {
  return JSON.parse(read(`${CHART}/files/msgbus.json`)) as Dashboard;
}

/** PromQL of panels and alerts, with Grafana's variables filled in as it would. */
export function expressions(): string[] {
  const { groups } = parse(read(`${CHART}/files/rules.yml`)) as { groups: { rules: { expr: string }[] }[] };
  const panels = readDashboard().panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  const filled = panels.map((expr) => expr.replaceAll("$__rate_interval", "1m").replaceAll(/\$(job|instance)/g, ".*"));
  return [...filled, ...groups.flatMap(({ rules }) => rules.map(({ expr }) => expr))];
}

/** The metrics that an expression selects, each with the labels that it names: matched, or grouped by. */
export function selectionsOf(expr: string): { metric: string; labels: string[] }[] {
  const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, names = ""]) => names.split(/,\s*/));
  return [...expr.matchAll(/\b((?:msgbus|process|nodejs)_\w+)(?:\{([^}]*)\})?/g)].map(
    ([, metric = "", matchers = ""]) => ({
      metric,
      labels: [...matchers.matchAll(/(\w+)(?:=~|!=|!~|=)"/g)].map(([, label = ""]) => label).concat(grouped),
    }),
  );
}
