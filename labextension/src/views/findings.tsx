/** Advice, ranked: what is wrong, the evidence, what to do, and the layers that it is about. */
import type { Table } from "../columns.ts";
import type { Finding, Layer } from "../contract.ts";
import { visible } from "../model/text.ts";
import { count, size } from "../model/units.ts";
import type { Words } from "../model/words.ts";
import { Names } from "./details.tsx";
import { useWords } from "./reading.ts";
import { Button, Section } from "./ui.tsx";

export function Findings(props: {
  findings: readonly Finding[];
  layers: Table<Layer>;
  /** Selects the layers of a finding; null where there is nothing to select in. */
  onShow: ((ids: readonly number[]) => void) | null;
}) {
  const words = useWords();
  if (!props.findings.length) return null;
  const names = new Map(
    Array.from({ length: props.layers.count }, (_, row) => [
      props.layers.get(row, "id"),
      props.layers.get(row, "name") ?? "",
    ]),
  );
  return (
    <Section title={words.__("Advice")}>
      <ol class="sima-findings">
        {props.findings.map(finding => (
          <li key={finding.kind + finding.title}>
            <b>{visible(finding.title)}</b> <small>{gainOf(finding, words)}</small>
            <p>{visible(finding.evidence)}</p>
            <p>{visible(finding.advice)}</p>
            {(finding.layers ?? []).length > 0 &&
              (props.onShow ? (
                <Button onClick={() => props.onShow?.(finding.layers ?? [])}>
                  {words._n(
                    "Show %2 layer",
                    "Show %2 layers",
                    finding.layers?.length ?? 0,
                    count(finding.layers?.length ?? 0),
                  )}
                </Button>
              ) : (
                <Names names={(finding.layers ?? []).map(id => names.get(id) ?? words.__("layer %1", String(id)))} />
              ))}
          </li>
        ))}
      </ol>
    </Section>
  );
}

/** In the words of `wordings.gain` in Python. */
function gainOf(finding: Finding, words: Words): string {
  if (finding.cycles != null) return words.__("up to %1 cycles", count(finding.cycles));
  const parts = [
    finding.steps == null ? "" : words.__("EV74 steps: %1", count(finding.steps)),
    finding.bytes == null ? "" : size(finding.bytes),
  ];
  return parts.filter(Boolean).join(", ");
}
