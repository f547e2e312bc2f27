/** Checks of the compose file and of what it mounts: the configuration of Prometheus and Grafana's provisioning. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { parse } from 'yaml';

interface Compose {
  readonly services: Readonly<Record<string, { readonly volumes?: readonly string[] }>>;
}

const read = (file: string): unknown => parse(readFileSync(file, 'utf8'));
const readCompose = (folder: string): Compose =>
  read(posix.join(folder, 'compose.yaml')) as Compose;

/**
 * The files and folders that the compose file mounts, by their path in the container.
 * @throws where one is missing
 */
export function mounts(folder: string): Map<string, string> {
  const { services } = readCompose(folder);
  const mounted = new Map<string, string>();
  for (const volume of Object.values(services).flatMap(({ volumes = [] }) => volumes)) {
    const [path = '', target = ''] = volume.split(':');
    const file = posix.join(folder, path);
    if (!existsSync(file)) throw new Error(`${file} is missing.`);
    mounted.set(target, file);
  }
  return mounted;
}

/** A text with the container's paths of mounted files replaced by those of the files. */
export function onHost(text: string, mounted: ReadonlyMap<string, string>): string {
  let result = text;
  for (const [target, file] of mounted) result = result.replaceAll(target, posix.resolve(file));
  return result;
}

interface Provider {
  readonly name?: unknown;
  readonly type?: unknown;
  readonly options?: { readonly path?: string };
}

interface Source {
  readonly name?: unknown;
  readonly uid?: string;
  readonly type?: string;
  readonly url?: string;
}

/**
 * Checks Grafana's provisioning: data sources lead to services of the compose file, dashboards are mounted where their
 * provider looks, and use no other data source.
 * @returns a summary
 */
export function checkGrafana(folder: string): string {
  const { services } = readCompose(folder);
  const mounted = mounts(folder);
  const provisioning = mounted.get('/etc/grafana/provisioning');
  if (provisioning === undefined) throw new Error('No provisioning is mounted for Grafana.');

  const sources = provisioned<Source>(provisioning, 'datasources', 'datasources');
  for (const { name, uid, type, url } of sources) {
    const host = url === undefined ? '' : new URL(url).hostname;
    if (!name || !uid || type !== 'prometheus' || !(host in services))
      throw new Error(
        `The data source ${String(name)} needs a name, a uid, the type prometheus and the url of a service.`,
      );
  }

  let dashboards = 0;
  for (const { name, type, options } of provisioned<Provider>(
    provisioning,
    'dashboards',
    'providers',
  )) {
    if (!name || type !== 'file' || options?.path === undefined)
      throw new Error(
        `The dashboard provider ${String(name)} needs a name, the type file and options.path.`,
      );
    const files = [...mounted].filter(([target]) => posix.dirname(target) === options.path);
    if (files.length === 0) throw new Error(`No dashboard is mounted in ${options.path}.`);
    for (const [, file] of files) checkSources(file, sources);
    dashboards += files.length;
  }
  return `${sources.length} data source, ${dashboards} dashboard`;
}

/** The entries of all provisioning files of one kind. */
function provisioned<T>(folder: string, kind: string, key: string): T[] {
  const path = posix.join(folder, kind);
  const entries = readdirSync(path)
    .filter((name) => /\.ya?ml$/.test(name))
    .flatMap((name) => {
      const { apiVersion, [key]: list } = read(posix.join(path, name)) as Readonly<
        Record<string, unknown>
      >;
      if (apiVersion !== 1 || !Array.isArray(list))
        throw new Error(`${path}/${name} needs apiVersion 1 and a list ${key}.`);
      return list as T[];
    });
  if (entries.length === 0) throw new Error(`${path} has no ${key}.`);
  return entries;
}

/** @throws where a dashboard has no data source to choose from, or a panel uses one that is not provisioned */
function checkSources(file: string, sources: readonly Source[]): void {
  const { templating } = JSON.parse(readFileSync(file, 'utf8'), (key, value: unknown) => {
    const uid = key === 'datasource' ? (value as { uid?: string }).uid : undefined;
    if (uid !== undefined && uid !== '${datasource}' && !sources.some((one) => one.uid === uid))
      throw new Error(`${file} uses the data source ${uid}, which is not provisioned.`);
    return value;
  }) as { templating: { list: { name: string; type: string; query: unknown }[] } };
  const choice = templating.list.find(({ name }) => name === 'datasource');
  if (choice?.type !== 'datasource' || !sources.some(({ type }) => type === choice.query))
    throw new Error(`${file} offers no data source that is provisioned.`);
}
