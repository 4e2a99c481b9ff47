/** An answer of the API that lists rows, newest first: `next` is the cursor of the following page; null at the end. */
export type ListPage<Name extends string, Row> = { readonly [N in Name]: readonly Row[] } & {
  readonly next: number | null;
};
