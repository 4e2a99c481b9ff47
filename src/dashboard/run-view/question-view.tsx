/** What a person asked: its text, and its pictures and documents where they stand in it. */
import type { Question } from "./question.ts";
import { FileView } from "./file-view.tsx";

export function QuestionView({ asked }: { asked: Question }) {
  return (
    <>
      {asked.map((part, index) =>
        part.type === "text" ? (
          <p key={index} dir="auto">
            {part.text}
          </p>
        ) : (
          <FileView key={index} file={part} />
        ),
      )}
    </>
  );
}
