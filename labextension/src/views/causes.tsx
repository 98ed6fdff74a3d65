/** Where cycles went, as one bar and as numbers that add up to the whole. */
import type { Part } from "../model/profile.ts";
import { amount, percent, type Unit } from "../model/units.ts";
import { useWords } from "./reading.ts";
import { Swatch } from "./ui.tsx";

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
