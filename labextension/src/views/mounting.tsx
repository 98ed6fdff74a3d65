/**
 * What every view stands in: an element with the style sheet's class, its keys kept from the notebook, and a place
 * where an error in the view is shown instead of a blank.
 */
import { Component, type ComponentChildren, render } from "preact";
import { ENGLISH, type Words } from "../model/words.ts";
import styles from "../styles/views.css";
import { element } from "./elements.ts";
import { keepKeys } from "./keys.ts";
import { Reading, useWords } from "./reading.ts";
import { watchStrayErrors } from "./stray_errors.ts";
import { FAILED } from "./surface.ts";

/** Errors said under one view: more of them tell nobody more. */
const MOST_FAILURES = 3;

/** What a view wears: more style sheets than those of all views, under a name of their own, and its language. */
export interface Dress {
  readonly styles?: string;
  readonly name?: string;
  readonly words?: Words | undefined;
}

export interface Mounted {
  readonly root: HTMLElement;
  readonly dispose: () => void;
}

export function mountView(
  parent: HTMLElement,
  label: string,
  content: () => ComponentChildren,
  { styles: more = "", name = "parts", words = ENGLISH }: Dress = {},
): Mounted {
  if (more) addStyles(parent, name, more);
  const { root, dispose } = mountPlain(parent, label, content, words);
  const failures = new Map<string, Mounted>();
  const tell = (what: string, error: unknown): void => {
    // What fails once fails in every frame or at every click: each is said once, and a few of them are enough.
    const key = `${what}: ${error}`;
    if (!failures.has(key) && failures.size < MOST_FAILURES) failures.set(key, showFailure(parent, what, error, words));
  };
  root.addEventListener(FAILED, event => tell(words.__('A picture of "%1"', label), (event as CustomEvent).detail));
  const release = watchStrayErrors(root, error => tell(words.__('What was done last in "%1"', label), error));
  return {
    root,
    dispose: () => {
      release();
      dispose();
      for (const failure of failures.values()) failure.dispose();
    },
  };
}

function mountPlain(parent: HTMLElement, label: string, content: () => ComponentChildren, words: Words): Mounted {
  const root = element("div", { className: "sima-view", role: "region", ariaLabel: label });
  addStyles(parent, "base", styles);
  parent.append(root);
  const release = keepKeys(root);
  render(
    <Reading.Provider value={words}>
      <Guarded label={label}>{<Content make={content} />}</Guarded>
    </Reading.Provider>,
    root,
  );
  return {
    root,
    dispose: () => {
      release();
      render(null, root);
      root.remove();
    },
  };
}

function Content({ make }: { make: () => ComponentChildren }) {
  return <>{make()}</>;
}

/** One style sheet of a name per document, or per shadow tree, however many views there are. */
export function addStyles(near: Node, name: string, text: string): void {
  const root = near.getRootNode();
  const place = root instanceof ShadowRoot ? root : document.head;
  if (place.querySelector(`style[data-sima-styles="${name}"]`)) return;
  place.append(element("style", { attributes: { "data-sima-styles": name }, textContent: text }));
}

class Guarded extends Component<{ label: string; children: ComponentChildren }, { error: unknown }> {
  override state = { error: null as unknown };

  static override getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    const { error } = this.state;
    if (error === null) return this.props.children;
    return <Failure label={this.props.label} error={error} />;
  }
}

export function Failure({ label, error }: { label: string; error: unknown }) {
  const words = useWords();
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return (
    <div class="sima-error" role="alert">
      <p>{words.__("%1 could not be shown: %2", label, text)}</p>
      {error instanceof Error && error.stack && (
        <details>
          <summary data-lm-suppress-shortcuts="true">{words.__("Where")}</summary>
          <pre>{error.stack}</pre>
        </details>
      )}
    </div>
  );
}

/** An error outside of preact, shown below whatever is there already. */
export function showFailure(parent: HTMLElement, label: string, error: unknown, words: Words = ENGLISH): Mounted {
  return mountPlain(parent, label, () => <Failure label={label} error={error} />, words);
}
