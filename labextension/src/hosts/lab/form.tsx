/** A model: what `check` says of it, the form of a compile, and its jobs. */
import { PathExt } from "@jupyterlab/coreutils";
import { useEffect, useState } from "preact/hooks";

import type { Store } from "../../model/store.ts";
import { visible } from "../../model/text.ts";
import { count } from "../../model/units.ts";
import { useId } from "../../views/ids.ts";
import { OWN_KEYS } from "../../views/keys.ts";
import { Button, Section, useStore } from "../../views/ui.tsx";
import { Refusal } from "./api.ts";
import { type Asked, NOTHING_ASKED } from "./asked.ts";
import type { CheckReport, JobRequest } from "./job.ts";
import { JobList } from "./job_list.tsx";
import type { Services } from "./services.ts";
import type { CompileDefaults } from "./settings.ts";

interface Props {
  readonly services: Services;
  readonly path: string;
}

/** What was typed; numbers stay as they are until they are asked for. */
interface Fields extends CompileDefaults {
  readonly calibration: string;
  readonly input_shape: string;
  readonly samples: "random" | "file";
}

export function ModelPage({ services, path, asked }: Props & { asked: Store<Asked> }) {
  const { trans, settings } = services;
  const [fields, setFields] = useState<Fields>({
    ...settings.values.compile,
    calibration: "",
    input_shape: "",
    samples: "random",
  });
  const { batch_size } = useStore(asked);
  useEffect(() => {
    if (batch_size === null) return;
    setFields(typed => ({ ...typed, batch_size }));
    asked.set(NOTHING_ASKED);
  }, [batch_size]);
  const [checked, setChecked] = useState<readonly string[]>([]);
  const check = useCheck(services, path, checked);
  return (
    <div class="sima-model">
      <p class="sima-title sima-large">{visible(PathExt.basename(path))}</p>
      <Section title={trans.__("Does it compile?")}>
        <Verdict check={check} services={services} />
      </Section>
      <Section title={trans.__("Compile")}>
        <Form
          services={services}
          path={path}
          fields={fields}
          kind={check.report?.kind ?? null}
          onChange={changed => setFields({ ...fields, ...changed })}
          onCheck={() => setChecked(shapesOf(fields.input_shape))}
        />
      </Section>
      <Section title={trans.__("Compiles of this model")}>
        <JobList services={services} path={path} />
      </Section>
    </div>
  );
}

interface Check {
  readonly report: CheckReport | null;
  readonly problem: string;
}

function useCheck({ api }: Services, path: string, shapes: readonly string[]): Check {
  const [check, setCheck] = useState<Check>({ report: null, problem: "" });
  useEffect(() => {
    const asking = new AbortController();
    setCheck({ report: null, problem: "" });
    api.check(path, shapes, asking.signal).then(
      report => setCheck({ report, problem: "" }),
      (error: unknown) => {
        if (asking.signal.aborted) return;
        setCheck({ report: null, problem: error instanceof Refusal ? error.sentence : String(error) });
      },
    );
    return () => asking.abort();
  }, [path, shapes.join(" ")]);
  return check;
}

/** Obstacles that are listed at first. */
const MOST_OBSTACLES = 8;

function Verdict({ check, services }: { check: Check; services: Services }) {
  const { trans } = services;
  const { report, problem } = check;
  if (problem) {
    return (
      <p class="sima-error" role="alert">
        {visible(problem)}
      </p>
    );
  }
  if (!report) {
    return (
      <p class="sima-note" role="status">
        {trans.__("Checking the model …")}
      </p>
    );
  }
  const rest = report.obstacles.length - MOST_OBSTACLES;
  return (
    <div data-compiles={report.compiles}>
      <p class={report.compiles ? "sima-lead" : "sima-error"} role="status">
        {visible(verdictOf(report, services))}
      </p>
      {report.obstacles.length > 0 && (
        <ul class="sima-list">
          {report.obstacles.slice(0, MOST_OBSTACLES).map((obstacle, number) => (
            <li key={number}>
              <b>
                {visible([obstacle.operator, obstacle.node].filter(Boolean).join(" ")) || trans.__("The whole file")}
              </b>
              {": "}
              {visible(obstacle.found)} {visible(obstacle.hint)}
            </li>
          ))}
        </ul>
      )}
      {rest > 0 && <p class="sima-note">{trans.__("… and %1 more; simac check lists all.", count(rest))}</p>}
      {report.warnings.map(warning => (
        <p class="sima-note" key={warning}>
          {visible(warning)}
        </p>
      ))}
    </div>
  );
}

/** The command line's verdict names its own commands; a form has fields instead. */
function verdictOf({ kind, compiles, verdict }: CheckReport, { trans }: Services): string {
  if (kind === "float" && compiles) {
    return trans.__("A float model. It compiles once it is quantized, with the samples that you name below.");
  }
  return verdict.charAt(0).toUpperCase() + verdict.slice(1);
}

interface FormProps extends Props {
  readonly fields: Fields;
  readonly kind: CheckReport["kind"] | null;
  readonly onChange: (changed: Partial<Fields>) => void;
  readonly onCheck: () => void;
}

function Form({ services, path, fields, kind, onChange, onCheck }: FormProps) {
  const { trans, jobs } = services;
  const [problem, setProblem] = useState("");
  const wrong = wrongField(fields, kind, services);
  const start = async () => {
    setProblem("");
    try {
      await jobs.submit(requestOf(path, fields, kind));
    } catch (error) {
      setProblem(error instanceof Refusal ? error.sentence : String(error));
    }
  };
  return (
    <form
      class="sima-form"
      aria-label={trans.__("Compile")}
      onSubmit={event => {
        event.preventDefault();
        if (!wrong) void start();
      }}
    >
      <Number_
        label={trans.__("Largest batch")}
        least={1}
        value={fields.batch_size}
        onInput={batch_size => onChange({ batch_size })}
      />
      <Number_
        label={trans.__("Quads (0: all)")}
        least={0}
        value={fields.quads}
        onInput={quads => onChange({ quads })}
      />
      <Text label={trans.__("Machine")} value={fields.machine} onInput={machine => onChange({ machine })} />
      <Text
        label={trans.__("Output folder")}
        value={fields.output_path}
        onInput={output_path => onChange({ output_path })}
      />
      <Switch
        label={trans.__("Compress the weights")}
        value={fields.compress}
        onChange={compress => onChange({ compress })}
      />
      {kind === "float" && <Samples services={services} fields={fields} onChange={onChange} />}
      {kind !== null && (
        <Text
          label={trans.__("Input shapes, where the file leaves sizes open")}
          placeholder="images=1x3x224x224"
          value={fields.input_shape}
          onInput={input_shape => onChange({ input_shape })}
          onSettled={onCheck}
        />
      )}
      <div class="sima-action sima-whole">
        <Button className="sima-button sima-main" disabled={wrong !== ""} onClick={() => void start()}>
          {trans.__("Compile")}
        </Button>
        <p class={problem ? "sima-error" : "sima-note"} role={problem ? "alert" : "status"}>
          {visible(problem || wrong)}
        </p>
      </div>
    </form>
  );
}

function Samples({ services, fields, onChange }: Pick<FormProps, "services" | "fields" | "onChange">) {
  const { trans } = services;
  const id = useId();
  return (
    <>
      <span class="sima-field">
        <label for={id}>{trans.__("Samples to quantize with")}</label>
        <select
          id={id}
          value={fields.samples}
          onChange={event => onChange({ samples: event.currentTarget.value as Fields["samples"] })}
          {...OWN_KEYS}
        >
          <option value="random">{trans.__("random ones, to try things out")}</option>
          <option value="file">{trans.__("a file (.npz)")}</option>
        </select>
      </span>
      {fields.samples === "file" ? (
        <Text
          label={trans.__("File of samples")}
          placeholder="samples.npz"
          value={fields.calibration}
          onInput={calibration => onChange({ calibration })}
        />
      ) : (
        <Number_
          label={trans.__("How many random samples")}
          least={1}
          value={fields.calibration_random}
          onInput={calibration_random => onChange({ calibration_random })}
        />
      )}
    </>
  );
}

/** What must be mended before a compile can start, or an empty text. */
function wrongField(fields: Fields, kind: CheckReport["kind"] | null, { trans }: Services): string {
  if (kind === null) return trans.__("The check comes first.");
  if (kind === "not readable") return trans.__("There is nothing to compile in this file.");
  if (!isWhole(fields.batch_size, 1)) return trans.__("The batch is a whole number from 1.");
  if (!isWhole(fields.quads, 0)) return trans.__("The quads are a whole number from 0.");
  if (kind === "float" && fields.samples === "file" && !fields.calibration.trim()) {
    return trans.__("Name a file of samples.");
  }
  if (kind === "float" && fields.samples === "random" && !isWhole(fields.calibration_random, 1)) {
    return trans.__("The number of samples is a whole number from 1.");
  }
  return "";
}

function isWhole(value: number, least: number): boolean {
  return Number.isInteger(value) && value >= least;
}

function shapesOf(text: string): string[] {
  return text.split(/[\s;]+/).filter(Boolean);
}

/** Paths in the form are relative to the model's folder, those of a request to the served one. */
function requestOf(path: string, fields: Fields, kind: CheckReport["kind"] | null): JobRequest {
  const beside = (name: string) => PathExt.join(PathExt.dirname(path), name.trim() || ".");
  const { batch_size, compress, quads } = fields;
  const machine = fields.machine.trim();
  const samples =
    kind !== "float"
      ? {}
      : fields.samples === "file"
        ? { calibration: beside(fields.calibration) }
        : { calibration_random: fields.calibration_random };
  return {
    path,
    batch_size,
    compress,
    quads,
    machine: /\.ya?ml$/.test(machine) ? beside(machine) : machine,
    output_path: beside(fields.output_path) || ".",
    input_shape: shapesOf(fields.input_shape),
    ...samples,
  };
}

interface TextProps {
  readonly label: string;
  readonly value: string;
  readonly placeholder?: string;
  readonly onInput: (value: string) => void;
  /** Called when the field is left, or Enter was pressed in it. */
  readonly onSettled?: () => void;
}

function Text({ label, value, placeholder, onInput, onSettled }: TextProps) {
  const id = useId();
  return (
    <span class="sima-field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="text"
        value={value}
        placeholder={placeholder}
        spellcheck={false}
        autocomplete="off"
        onInput={event => onInput(event.currentTarget.value)}
        onChange={() => onSettled?.()}
        {...OWN_KEYS}
      />
    </span>
  );
}

function Number_(props: { label: string; least: number; value: number; onInput: (value: number) => void }) {
  const id = useId();
  return (
    <span class="sima-field">
      <label for={id}>{props.label}</label>
      <input
        id={id}
        type="number"
        min={props.least}
        step={1}
        value={Number.isNaN(props.value) ? "" : props.value}
        aria-invalid={!isWhole(props.value, props.least)}
        onInput={event => props.onInput(event.currentTarget.valueAsNumber)}
        {...OWN_KEYS}
      />
    </span>
  );
}

function Switch(props: { label: string; value: boolean; onChange: (value: boolean) => void }) {
  const id = useId();
  return (
    <span class="sima-field sima-switch">
      <input
        id={id}
        type="checkbox"
        checked={props.value}
        onChange={event => props.onChange(event.currentTarget.checked)}
        {...OWN_KEYS}
      />
      <label for={id}>{props.label}</label>
    </span>
  );
}
