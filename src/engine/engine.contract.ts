/**
 * What every engine driver must do, as tests: each driver's own test file runs them on its storage. The tests know
 * `engine.ts` alone. A guarantee in its comments that no test here checks is a gap. `contract/` has one file for each
 * part of the interface.
 */
import { describe } from "vitest";
import { testCancel } from "./contract/cancel.contract.ts";
import { testClaim } from "./contract/claim.contract.ts";
import { testDelegate } from "./contract/delegate.contract.ts";
import { testDump } from "./contract/dump.contract.ts";
import { testEnqueue } from "./contract/enqueue.contract.ts";
import { testFileRetention } from "./contract/file-retention.contract.ts";
import { testFiles } from "./contract/files.contract.ts";
import { testFollow } from "./contract/follow.contract.ts";
import { testParked } from "./contract/parked.contract.ts";
import { testPrincipal } from "./contract/principal.contract.ts";
import { testRead } from "./contract/read.contract.ts";
import { testRelease } from "./contract/release.contract.ts";
import type { OpenEngine } from "./contract/setup.ts";
import { testRetain } from "./contract/retain.contract.ts";
import { testRetry } from "./contract/retry.contract.ts";
import { testShared } from "./contract/shared.contract.ts";
import { testSpending } from "./contract/spending.contract.ts";
import { testStep } from "./contract/step.contract.ts";
import { testSupersede } from "./contract/supersede.contract.ts";
import { testText } from "./contract/text.contract.ts";
import { testThread } from "./contract/thread.contract.ts";

export function testEngine({ name, open }: { readonly name: string; readonly open: OpenEngine }): void {
  describe(`${name} engine`, () => {
    describe("enqueue", () => {
      testEnqueue(open);
    });
    describe("claim", () => {
      testClaim(open);
    });
    describe("append and settle", () => {
      testStep(open);
    });
    describe("parked runs", () => {
      testParked(open);
    });
    describe("release", () => {
      testRelease(open);
    });
    describe("cancel", () => {
      testCancel(open);
    });
    describe("retry", () => {
      testRetry(open);
    });
    describe("supersede", () => {
      testSupersede(open);
    });
    describe("delegated runs", () => {
      testDelegate(open);
    });
    describe("threads", () => {
      testThread(open);
    });
    describe("texts from outside", () => {
      testText(open);
    });
    describe("export and import", () => {
      testDump(open);
    });
    describe("retention", () => {
      testRetain(open);
    });
    describe("retention of files", () => {
      testFileRetention(open);
    });
    describe("reading", () => {
      testRead(open);
    });
    describe("spending", () => {
      testSpending(open);
    });
    describe("shared texts", () => {
      testShared(open);
    });
    describe("files", () => {
      testFiles(open);
    });
    describe("following", () => {
      testFollow(open);
    });
    describe("principal", () => {
      testPrincipal(open);
    });
  });
}
