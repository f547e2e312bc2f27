/** Schemas for kubeconform: Kubernetes' own from PyPI, custom resources from the modules that define them. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { goModule, pythonPackage } from './tools.ts';

const KUBERNETES = 'v1.37.0';
const customResources = [
  ['github.com/kedacore/keda/v2@v2.18.0', 'config/crd/bases'],
  ['github.com/kserve/kserve@v0.15.2', 'config/crd/full'],
  ['github.com/prometheus-operator/prometheus-operator@v0.85.0', 'example/prometheus-operator-crd'],
] as const;

interface CustomResource {
  readonly kind?: string;
  readonly spec?: {
    readonly group: string;
    readonly names: { readonly kind: string };
    readonly versions: readonly {
      readonly name: string;
      readonly schema: { readonly openAPIV3Schema: Schema };
    }[];
  };
}

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-int-or-string'?: boolean;
}

/** Writes all schemas into `folder`. @returns the arguments that make kubeconform use them */
export function schemaArguments(folder: string): string[] {
  for (const [module, path] of customResources) writeCustom(join(goModule(module), path), folder);
  const python = pythonPackage('kubernetes-validate', '1.37.0');
  const kubernetes = join(python, 'kubernetes_validate/kubernetes-json-schema');
  writeKubernetes(join(kubernetes, `${KUBERNETES}-local-strict`), folder);
  return [
    join(folder, '{{.ResourceKind}}{{.KindSuffix}}.json'),
    join(folder, '{{.Group}}_{{.ResourceKind}}_{{.ResourceAPIVersion}}.json'),
  ].flatMap((location) => ['-schema-location', location]);
}

/** Copies the schemas without their identifiers, so that references lead to the files beside them instead of a server. */
function writeKubernetes(from: string, folder: string): void {
  for (const file of readdirSync(from).filter((name) => name.endsWith('.json'))) {
    const text = readFileSync(join(from, file), 'utf8');
    const local = text.replaceAll('"/api/_definitions.json', '"_definitions.json');
    const schema = JSON.parse(local) as { $id?: string };
    delete schema.$id;
    writeFileSync(join(folder, file), JSON.stringify(schema));
  }
}

function writeCustom(from: string, folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const file of readdirSync(from).filter((name) => name.endsWith('.yaml')))
    for (const document of parseAllDocuments(readFileSync(join(from, file), 'utf8'))) {
      const { kind, spec } = document.toJS() as CustomResource;
      if (kind !== 'CustomResourceDefinition' || !spec) continue;
      for (const { name, schema } of spec.versions)
        writeFileSync(
          join(folder, `${spec.group}_${spec.names.kind.toLowerCase()}_${name}.json`),
          JSON.stringify(closed(schema.openAPIV3Schema)),
        );
    }
}

/** The schema without unknown fields, which the API server would drop silently. */
function closed(schema: Schema): object {
  const { properties, items, additionalProperties: others } = schema;
  if (schema['x-kubernetes-int-or-string']) return { type: ['integer', 'string'] };
  return {
    ...schema,
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, property]) => [name, closed(property)]),
      ),
    }),
    ...(items && { items: closed(items) }),
    ...(typeof others === 'object' && { additionalProperties: closed(others) }),
    ...(properties &&
      Object.keys(properties).length > 0 &&
      others === undefined &&
      !schema['x-kubernetes-preserve-unknown-fields'] && { additionalProperties: false }),
  };
}
