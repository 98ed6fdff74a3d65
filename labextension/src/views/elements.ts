/** Elements made by hand where preact would be in the way: canvases, scrollers, what surrounds a view. */

export type Release = () => void;

export interface Properties {
  readonly className?: string;
  readonly hidden?: boolean;
  readonly role?: string;
  readonly tabIndex?: number;
  readonly ariaLabel?: string;
  readonly ariaHidden?: string;
  readonly ariaRoleDescription?: string;
  readonly textContent?: string;
  readonly attributes?: Readonly<Record<string, string>>;
}

const NAMES: Readonly<Record<string, string>> = {
  ariaLabel: "aria-label",
  ariaHidden: "aria-hidden",
  ariaRoleDescription: "aria-roledescription",
  role: "role",
};

export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  properties: Properties = {},
): HTMLElementTagNameMap[Tag] {
  const { attributes, ...rest } = properties;
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(rest)) {
    const attribute = NAMES[name];
    if (attribute) made.setAttribute(attribute, String(value));
    else Object.assign(made, { [name]: value });
  }
  for (const [name, value] of Object.entries(attributes ?? {})) made.setAttribute(name, value);
  return made;
}
