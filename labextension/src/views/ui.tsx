/** Small parts that all views share. Every focusable element here keeps its keys from the notebook. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Label } from "../contract.ts";
import type { Store } from "../model/store.ts";
import { highlighted, shortened, visible } from "../model/text.ts";
import { useId } from "./ids.ts";
import { OWN_KEYS } from "./keys.ts";
import { useWords } from "./reading.ts";

/** A name from a file: as text, long ones with both ends, the whole behind them for those who ask. */
export function Name({ text, longest, words = [] }: { text: string; longest?: number; words?: readonly string[] }) {
  const short = shortened(text, longest);
  const pieces = words.length ? highlighted(short, words) : null;
  return (
    <span class="sima-name" dir="ltr" title={short === text ? undefined : visible(text).slice(0, 2000)}>
      {pieces ? pieces.map(piece => (piece.hit ? <mark>{piece.text}</mark> : piece.text)) : short}
    </span>
  );
}

/** A name in a cell that may be too narrow: its end always stays, because that is where names differ. */
export function CellName({ text, words = [] }: { text: string; words?: readonly string[] }) {
  const short = shortened(text, 120);
  const cut = Math.max(0, short.length - 10);
  const [head, tail] = words.length ? [short, ""] : [short.slice(0, cut), short.slice(cut)];
  return (
    <span class="sima-name sima-cut" dir="ltr" title={visible(text).slice(0, 2000)}>
      <span>{highlighted(head, words).map(piece => (piece.hit ? <mark>{piece.text}</mark> : piece.text))}</span>
      <span>{tail}</span>
    </span>
  );
}

export function Swatch({ label }: { label: Label }) {
  return (
    <i
      class="sima-swatch"
      data-pattern={label.pattern}
      style={{ "--sima-colour": label.colour ?? "" }}
      aria-hidden="true"
    />
  );
}

export function Button(props: {
  children: ComponentChildren;
  onClick: () => void;
  label?: string | undefined;
  pressed?: boolean;
  disabled?: boolean;
  className?: string;
}) {
  return (
    <button
      type="button"
      class={props.className ?? "sima-button"}
      aria-label={props.label}
      title={props.label}
      aria-pressed={props.pressed}
      disabled={props.disabled}
      onClick={props.onClick}
      {...OWN_KEYS}
    >
      {props.children}
    </button>
  );
}

export function Choice<Value extends string>(props: {
  label: string;
  value: Value;
  options: readonly (readonly [Value, string])[];
  onChange: (value: Value) => void;
}) {
  const id = useId();
  return (
    <span class="sima-field">
      <label for={id}>{props.label}</label>
      <select
        id={id}
        value={props.value}
        onChange={event => props.onChange(event.currentTarget.value as Value)}
        {...OWN_KEYS}
      >
        {props.options.map(([value, text]) => (
          <option value={value} key={value}>
            {text}
          </option>
        ))}
      </select>
    </span>
  );
}

/** Text that takes effect while one types, but not for every letter: sorting a million rows takes longer than that. */
export function TextField(props: {
  label: string;
  value: string;
  placeholder?: string;
  onInput: (value: string) => void;
}) {
  const id = useId();
  const [typed, setTyped] = useState(props.value);
  useEffect(() => setTyped(props.value), [props.value]);
  useEffect(() => {
    if (typed === props.value) return;
    const timer = setTimeout(() => props.onInput(typed), 90);
    return () => clearTimeout(timer);
  }, [typed]);
  return (
    <span class="sima-field sima-grow">
      <label for={id}>{props.label}</label>
      <input
        id={id}
        type="search"
        value={typed}
        placeholder={props.placeholder}
        spellcheck={false}
        autocomplete="off"
        onInput={event => setTyped(event.currentTarget.value)}
        {...OWN_KEYS}
      />
    </span>
  );
}

export function Section({
  title,
  children,
  aside,
}: {
  title: string;
  children: ComponentChildren;
  aside?: ComponentChildren;
}) {
  const id = useId();
  return (
    <section class="sima-section" aria-labelledby={id}>
      <div class="sima-heading">
        <h4 id={id}>{title}</h4>
        {aside}
      </div>
      {children}
    </section>
  );
}

/** Rows of "what: value"; those that are not recorded are left out. */
export function Facts({ rows }: { rows: readonly (readonly [string, ComponentChildren])[] }) {
  const known = rows.filter(([, value]) => value !== null && value !== undefined && value !== "");
  if (!known.length) return null;
  return (
    <dl class="sima-facts">
      {known.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** The state of a store, and a new picture when it changes. */
export function useStore<State extends object>(store: Store<State>): State {
  const [state, setState] = useState(store.get());
  useEffect(() => {
    setState(store.get());
    return store.watch(setState);
  }, [store]);
  return state;
}

/** What a host is doing: one action at a time, its answer or its error shown where it was asked for. */
export function useTask(): {
  busy: boolean;
  said: string;
  failed: boolean;
  run: (task: () => Promise<string>) => void;
} {
  const [state, setState] = useState({ busy: false, said: "", failed: false });
  const run = (task: () => Promise<string>) => {
    setState({ busy: true, said: "", failed: false });
    task().then(
      said => setState({ busy: false, said, failed: false }),
      (error: unknown) =>
        setState({ busy: false, said: error instanceof Error ? error.message : String(error), failed: true }),
    );
  };
  return { ...state, run };
}

export function TaskSays({ task }: { task: { busy: boolean; said: string; failed: boolean } }) {
  const words = useWords();
  return (
    <p class={task.failed ? "sima-error" : "sima-note"} role={task.failed ? "alert" : "status"}>
      {task.busy ? words.__("Working …") : visible(task.said)}
    </p>
  );
}

/** One thing that the host can do, and what came of it. */
export function Action({ label, run }: { label: string; run: () => Promise<string> }) {
  const task = useTask();
  return (
    <div class="sima-action">
      <Button disabled={task.busy} onClick={() => task.run(run)}>
        {label}
      </Button>
      <TaskSays task={task} />
    </div>
  );
}
