/** A choice in a row of filters; "any" is the empty string. */
import "./select.css";

interface Props {
  readonly label: string;
  readonly value: string;
  readonly options: readonly string[];
  readonly onChange: (value: string) => void;
}

export function Select({ label, value, options, onChange }: Props) {
  // A link may ask for a value that the list does not have (or no longer has); it is still shown.
  const all = value === "" || options.includes(value) ? options : [...options, value];
  return (
    <label class="filter">
      <span>{label}</span>
      <select class="input" value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        <option value="">any</option>
        {all.map((option) => (
          <option key={option} value={option}>
            {option}
          </option>
        ))}
      </select>
    </label>
  );
}
