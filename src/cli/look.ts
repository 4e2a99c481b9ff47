/** A look at one thing; resolves with the finding in one line. @throws Error that says what is wrong and what to do */
export type Look = () => Promise<string>;
