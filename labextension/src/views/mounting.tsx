/**
 * What every view stands in: an element with the style sheet's class, its keys kept from the notebook, and a place
 * where an error in the view is shown instead of a blank.
 */
import { Component, type ComponentChildren, render } from "preact";
import styles from "../styles/views.css";
import { element } from "./elements.ts";
import { keepKeys } from "./keys.ts";
import { watchStrayErrors } from "./stray_errors.ts";
import { FAILED } from "./surface.ts";

/** Errors said under one view: more of them tell nobody more. */
const MOST_FAILURES = 3;

export interface Mounted {
  readonly root: HTMLElement;
  readonly dispose: () => void;
}

export function mountView(
  parent: HTMLElement,
  label: string,
  content: () => ComponentChildren,
  moreStyles = "",
  moreName = "parts",
): Mounted {
  if (moreStyles) addStyles(parent, moreName, moreStyles);
  const { root, dispose } = mountPlain(parent, label, content);
  const failures = new Map<string, Mounted>();
  const tell = (what: string, error: unknown): void => {
    // What fails once fails in every frame or at every click: each is said once, and a few of them are enough.
    const key = `${what}: ${error}`;
    if (!failures.has(key) && failures.size < MOST_FAILURES) failures.set(key, showFailure(parent, what, error));
  };
  root.addEventListener(FAILED, event => tell(`A picture of "${label}"`, (event as CustomEvent).detail));
  const release = watchStrayErrors(root, error => tell(`What was done last in "${label}"`, error));
  return {
    root,
    dispose: () => {
      release();
      dispose();
      for (const failure of failures.values()) failure.dispose();
    },
  };
}

function mountPlain(parent: HTMLElement, label: string, content: () => ComponentChildren): Mounted {
  const root = element("div", { className: "sima-view", role: "region", ariaLabel: label });
  addStyles(parent, "base", styles);
  parent.append(root);
  const release = keepKeys(root);
  render(<Guarded label={label}>{<Content make={content} />}</Guarded>, root);
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
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return (
    <div class="sima-error" role="alert">
      <p>
        {label} could not be shown: {text}
      </p>
      {error instanceof Error && error.stack && (
        <details>
          <summary data-lm-suppress-shortcuts="true">Where</summary>
          <pre>{error.stack}</pre>
        </details>
      )}
    </div>
  );
}

/** An error outside of preact, shown below whatever is there already. */
export function showFailure(parent: HTMLElement, label: string, error: unknown): Mounted {
  return mountPlain(parent, label, () => <Failure label={label} error={error} />);
}
