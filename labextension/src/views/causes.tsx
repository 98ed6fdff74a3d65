/** Where cycles went, as one bar and as numbers that add up to the whole. */
import type { ViewHead } from "../columns.ts";
import { type Part, wholeCauses } from "../model/profile.ts";
import { amount, count, percent, type Unit } from "../model/units.ts";
import { useWords } from "./reading.ts";
import { Section, Swatch } from "./ui.tsx";

export function Causes(props: { parts: readonly Part[]; unit: Unit; clockMhz: number; title: string }) {
  const words = useWords();
  const whole = props.parts.reduce((sum, part) => sum + part.cycles, 0);
  const known = props.parts.filter(part => part.cycles > 0);
  if (!whole) return null;
  return (
    <figure class="sima-causes">
      <figcaption>{props.title}</figcaption>
      <div class="sima-stack" aria-hidden="true">
        {known.map(({ label, cycles }) => (
          <i
            key={label.key}
            data-pattern={label.pattern}
            style={{ "--sima-colour": label.colour ?? "", flexGrow: String(cycles / whole) }}
            title={`${label.label}: ${percent(cycles / whole)}`}
          />
        ))}
      </div>
      <table class="sima-plain">
        <thead class="sima-unseen">
          <tr>
            <th scope="col">{words.__("Cause")}</th>
            <th scope="col">{words.__("Cycles")}</th>
            <th scope="col">{words.__("Share")}</th>
          </tr>
        </thead>
        <tbody>
          {known.map(({ label, cycles }) => (
            <tr key={label.key} title={label.note}>
              <th scope="row">
                <Swatch label={label} />
                {label.label}
              </th>
              <td>{props.unit === "share" ? "" : amount(cycles, props.unit, props.clockMhz, whole)}</td>
              <td>{percent(cycles / whole)}</td>
            </tr>
          ))}
          <tr class="sima-sum">
            <th scope="row">{words.__("all")}</th>
            <td>{props.unit === "share" ? "" : amount(whole, props.unit, props.clockMhz, whole)}</td>
            <td>{percent(1)}</td>
          </tr>
        </tbody>
      </table>
    </figure>
  );
}

/** The causes of the whole run, beside the efficiency that they explain, and what was counted. */
export function WhereCyclesGo({ view, unit }: { view: ViewHead; unit: Unit }) {
  const words = useWords();
  const { totals, wordings } = view;
  const parts = wholeCauses(view);
  return (
    <Section title={words.__("Where the cycles go")}>
      {parts ? (
        <Causes
          parts={parts}
          unit={unit}
          clockMhz={view.machine.clock_mhz}
          title={`${words.__("%1 cycles", count(totals.cycles))}, ${wordings["mla_alone"] ?? ""}`}
        />
      ) : (
        <p class="sima-note">{words.__("The file does not record why cycles were spent.")}</p>
      )}
      {totals.efficiency != null && (
        <p class="sima-note">
          {words.__(
            "Efficiency %1: the bound of %2 cycles over those of the run.",
            percent(totals.efficiency),
            count(totals.bound_cycles ?? 0),
          )}
        </p>
      )}
      {(totals.counted ?? []).map(sentence => (
        <p class="sima-note" key={sentence}>
          {sentence}
        </p>
      ))}
    </Section>
  );
}
