/** Advice, ranked: what is wrong, the evidence, what to do, and the layers that it is about. */
import type { Table } from "../columns.ts";
import type { Finding, Layer } from "../contract.ts";
import { visible } from "../model/text.ts";
import { count, counted, size } from "../model/units.ts";
import { Names } from "./details.tsx";
import { Button, Section } from "./ui.tsx";

export function Findings(props: {
  findings: readonly Finding[];
  layers: Table<Layer>;
  /** Selects the layers of a finding; null where there is nothing to select in. */
  onShow: ((ids: readonly number[]) => void) | null;
}) {
  if (!props.findings.length) return null;
  const names = new Map(
    Array.from({ length: props.layers.count }, (_, row) => [
      props.layers.get(row, "id"),
      props.layers.get(row, "name") ?? "",
    ]),
  );
  return (
    <Section title="Advice">
      <ol class="sima-findings">
        {props.findings.map(finding => (
          <li key={finding.kind + finding.title}>
            <b>{visible(finding.title)}</b> <small>{gainOf(finding)}</small>
            <p>{visible(finding.evidence)}</p>
            <p>{visible(finding.advice)}</p>
            {(finding.layers ?? []).length > 0 &&
              (props.onShow ? (
                <Button onClick={() => props.onShow?.(finding.layers ?? [])}>
                  Show {counted(finding.layers?.length ?? 0, "layer")}
                </Button>
              ) : (
                <Names names={(finding.layers ?? []).map(id => names.get(id) ?? `layer ${id}`)} />
              ))}
          </li>
        ))}
      </ol>
    </Section>
  );
}

/** In the words of `wordings.gain` in Python. */
function gainOf(finding: Finding): string {
  if (finding.cycles != null) return `up to ${count(finding.cycles)} cycles`;
  const parts = [
    finding.steps == null ? "" : `EV74 steps: ${count(finding.steps)}`,
    finding.bytes == null ? "" : size(finding.bytes),
  ];
  return parts.filter(Boolean).join(", ");
}
