/**
 * Words in the reader's language, with `%1`, `%2` filled in.
 *
 * Views are written in English and ask for each text by it. The members are named as JupyterLab's own bundle of
 * translations has them, which the extension passes on as it is; hosts without one leave English.
 */
export interface Words {
  /** `text`, with `%1` for the first of `values`. */
  readonly __: (text: string, ...values: string[]) => string;
  /** One of two forms, by `number`, which is `%1` itself; `values` begin with `%2`. */
  readonly _n: (one: string, many: string, number: number, ...values: string[]) => string;
}

export const ENGLISH: Words = {
  __: (text, ...values) => filled(text, values),
  _n: (one, many, number, ...values) => filled(number === 1 ? one : many, [String(number), ...values]),
};

function filled(text: string, values: readonly string[]): string {
  return text.replace(/%(\d)/g, (place, at: string) => values[Number(at) - 1] ?? place);
}
