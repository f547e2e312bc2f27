// Checks that relative links in Markdown files lead to a file, and to a heading where they name one.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const files = [
  ...readdirSync('.'),
  ...readdirSync('docs', { recursive: true }).map((name) => join('docs', name)),
].filter((name) => name.endsWith('.md'));

const broken = files.flatMap((file) =>
  [...textOf(file).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target)
    .filter((target) => !/^[a-z]+:/.test(target) && !leadsSomewhere(file, target))
    .map((target) => `${file}: ${target}`),
);
if (broken.length > 0) console.error(`These links lead nowhere:\n${broken.join('\n')}`);
process.exit(broken.length > 0 ? 1 : 0);

function leadsSomewhere(file, target) {
  const [path, heading] = target.split('#');
  const linked = path === '' ? file : join(dirname(file), path);
  if (!existsSync(linked)) return false;
  return heading === undefined || headingsOf(linked).includes(heading);
}

/** Headings as GitHub names them: lower case, without punctuation, spaces as hyphens. */
function headingsOf(file) {
  return [...textOf(file).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

function textOf(file) {
  return readFileSync(file, 'utf8').replace(/^```[^]*?^```/gm, '');
}
