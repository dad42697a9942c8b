import { expect, it } from "vitest";
import { BOUNDARY_CODES } from "../../src/network/boundary.ts";
import { TRIGGERED_EXIT_CODES } from "../../src/validation/verdict.ts";
import { readDocument, readPythonBlocks, readTableRows, SPEC_FOLDER } from "./markdown.ts";

const p2p = readDocument(`${SPEC_FOLDER}/p2p-interface.md`);
const vectorRows = readTableRows(readDocument("test/vectors/README.md")).filter((row) => row.code !== undefined);

/** In the vectors' table VALID comes last, and the node's own faults are not part of it. */
const failures = TRIGGERED_EXIT_CODES.filter((code) => code !== "VALID" && code !== "INTERNAL_ERROR");

function unquote(cell: string | undefined): string {
  return cell?.replaceAll("`", "") ?? "";
}

/** The results that the text names, in the order of their first mention. */
function results(text: string, pattern: RegExp): string[] {
  return [...new Set([...text.matchAll(pattern)].map(([result]) => result.toLowerCase()))];
}

it("reason codes: the vectors' table has those of the code, in order", () => {
  expect(vectorRows.map((row) => unquote(row.code))).toEqual([...failures, "VALID"]);
});

it("reason codes: the gossip conditions have those of the code, in order, and give the results of the vectors' table", () => {
  const conditions = [...p2p.matchAll(/^- _\[(?:IGNORE|REJECT)\]_ \(`(\w+)`\)[\s\S]*?(?=\n\n|\n- )/gm)];
  expect(conditions.map(([, code]) => code)).toEqual(failures);
  for (const [text, code] of conditions) {
    const row = vectorRows.find((row) => unquote(row.code) === code);
    expect(results(text, /IGNORE|REJECT/g).sort(), code).toEqual(results(row?.result ?? "", /ignore|reject/g).sort());
  }
});

it("reason codes: the functions raise each of them, in order, with the results of the vectors' table", () => {
  const functions = readPythonBlocks(p2p).filter((body) => /def (decode_triggered_exit|validate_triggered)/.test(body));
  const raised = [...functions.join("").matchAll(/raise Gossip(Ignore|Reject)\("(\w+)"\)/g)];
  expect([...new Set(raised.map(([, , code]) => code))]).toEqual(failures);
  for (const row of vectorRows.filter((row) => unquote(row.code) !== "VALID")) {
    const mine = raised.filter(([, , code]) => code === unquote(row.code)).map(([, result]) => result?.toLowerCase());
    expect([...new Set(mine)].sort(), row.code).toEqual(results(row.result ?? "", /ignore|reject/g).sort());
  }
});

it("reason codes: docs/verdicts.md has a row for each, in order, with the rule and results of the vectors' table", () => {
  const rows = readTableRows(readDocument("docs/verdicts.md"));
  expect(rows.map((row) => unquote(row.Code))).toEqual([...TRIGGERED_EXIT_CODES, ...BOUNDARY_CODES]);
  for (const row of rows) {
    expect(
      Object.values(row).every((cell) => cell !== ""),
      row.Code,
    ).toBe(true);
    const published = vectorRows.find((other) => other.code === row.Code);
    if (published === undefined || row.Code === "`VALID`") continue;
    expect(row.Rule, row.Code).toBe(published["#"]);
    expect(results(row.Result ?? "", /ignore|reject/g).sort(), row.Code).toEqual(
      results(published.result ?? "", /ignore|reject/g).sort(),
    );
  }
});
