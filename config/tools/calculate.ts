/** Arithmetic without eval: a parser makes a tree, and only what is listed here is computed. */
import jsep, { type Expression } from "jsep";
import { defineTool, z } from "evenkeel";

// Powers, as in mathematics: ^ and ** bind tighter than * and group from the right.
for (const power of ["^", "**"]) jsep.addBinaryOp(power, 11, true);

// A sign binds looser than a power: -2 ^ 2 is -(2 ^ 2). jsep's own unary operators would take the 2 first.
jsep.hooks.add("gobble-token", function takeSign(env) {
  const operator = this.char;
  if (operator !== "-" && operator !== "+") return;
  this.index += 1;
  const argument = this.gobbleToken();
  if (!argument) this.throwError(`Expected a number behind ${operator}`);
  else env.node = { type: "UnaryExpression", operator, argument: takePowers(this, argument), prefix: true };
});

function takePowers(parser: jsep.HookScope, base: Expression): Expression {
  parser.gobbleSpaces();
  const start = parser.index;
  // Its type says expression; it is the operator, or false.
  const operator = parser.gobbleBinaryOp() as unknown as string | false;
  const exponent = operator === "^" || operator === "**" ? parser.gobbleToken() : false;
  if (exponent) return { type: "BinaryExpression", operator, left: base, right: takePowers(parser, exponent) };
  parser.index = start;
  return base;
}

const OPERATORS: Readonly<Record<string, (a: number, b: number) => number>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
  "^": (a, b) => a ** b,
  "**": (a, b) => a ** b,
};
const CONSTANTS = new Map([
  ["pi", Math.PI],
  ["e", Math.E],
]);
const FUNCTIONS = new Map<string, (...args: number[]) => number>([
  ["sqrt", Math.sqrt],
  ["abs", Math.abs],
  ["round", Math.round],
  ["floor", Math.floor],
  ["ceil", Math.ceil],
  ["min", Math.min],
  ["max", Math.max],
  ["ln", Math.log],
  ["log", Math.log10],
  ["sin", Math.sin],
  ["cos", Math.cos],
  ["tan", Math.tan],
]);

export const tool = defineTool({
  description: `Evaluates an arithmetic expression exactly as written: + - * / % ^ ( ), pi, e, ${[...FUNCTIONS.keys()].join(", ")}.`,
  input: z.object({
    expression: z.string().min(1).max(1000).describe('For example "2 * (3 + 4)" or "sqrt(2) * 10 ^ 3".'),
  }),
  effects: "pure",
  run: ({ expression }) => {
    const result = evaluate(jsep(expression));
    if (!Number.isFinite(result)) throw new Error(`${expression} has no finite value.`);
    return String(result);
  },
});

function evaluate(node: Expression): number {
  if (node.type === "Literal" && typeof node["value"] === "number") return node["value"];
  if (node.type === "Identifier") return lookUp(CONSTANTS, node["name"]);
  if (node.type === "UnaryExpression") return evaluateUnary(node as jsep.UnaryExpression);
  if (node.type === "BinaryExpression") return evaluateBinary(node as jsep.BinaryExpression);
  if (node.type === "CallExpression") return evaluateCall(node as jsep.CallExpression);
  throw new Error("Expected one arithmetic expression of numbers, operators and the functions listed.");
}

function evaluateUnary({ operator, argument }: jsep.UnaryExpression): number {
  if (operator === "-") return -evaluate(argument);
  if (operator === "+") return evaluate(argument);
  throw new Error(`Expected no operator ${operator}.`);
}

function evaluateBinary({ operator, left, right }: jsep.BinaryExpression): number {
  const apply = OPERATORS[operator];
  if (!apply) throw new Error(`Expected one of ${Object.keys(OPERATORS).join(" ")}, got ${operator}.`);
  return apply(evaluate(left), evaluate(right));
}

function evaluateCall({ callee, arguments: args }: jsep.CallExpression): number {
  return lookUp(FUNCTIONS, callee["name"])(...args.map(evaluate));
}

function lookUp<T>(known: ReadonlyMap<string, T>, name: unknown): T {
  const found = known.get(String(name));
  if (found === undefined) throw new Error(`Expected one of ${[...known.keys()].join(", ")}, got ${String(name)}.`);
  return found;
}
