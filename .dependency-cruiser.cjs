/** Which folder of src may import from which; what is not listed is refused. */
const rooms = {
  server: ['tasks', 'engine', 'bundle', 'stopping', 'codecs/formats'],
  evaluation: ['engine', 'stopping', 'bundle'],
  training: ['evaluation', 'families', 'graph', 'runtime', 'bundle', 'data'],
  engine: ['runtime', 'bundle', 'stopping'],
  families: ['graph'],
  data: ['codecs'],
  commands: ['tasks/recipes', 'training', 'evaluation', 'bundle', 'stopping', 'runtime'],
  bundle: [],
  graph: [],
  runtime: [],
  stopping: [],
  codecs: [],
  util: [],
};
const ground = ['errors', 'config', 'util'];
/** A task's traffic is not served: it draws requests for training and evaluation. */
const traffic = '^src/tasks/[^/]+/traffic\\.ts$';

/** What serves a task: files directly below src/tasks, and every serve.ts. The registry of the recipes is not served. */
const serving = '^src/tasks/([^/]+\\.ts|[^/]+/serve\\.ts)$';
const registry = '^src/tasks/(learning|recipes)\\.ts$';

const arrow = (name, from, allowed) => ({
  name: `${name}-imports`,
  comment: `${name} may import ${[...allowed, ...ground].join(', ')} alone.`,
  severity: 'error',
  from,
  to: { path: '^src/', pathNot: `^src/(${[...allowed, ...ground].join('|')})[./]` },
});
const arrows = [
  ...Object.entries(rooms).map(([room, allowed]) =>
    arrow(room, { path: `^src/${room}/` }, [room, ...allowed]),
  ),
  arrow('serving', { path: serving, pathNot: registry }, [
    'tasks',
    'engine',
    'bundle',
    'codecs',
    'stopping',
  ]),
  arrow('learning', { path: '^src/tasks/', pathNot: serving }, [
    'tasks',
    'training',
    'evaluation',
    'families',
    'graph',
    'data',
    'runtime',
    'bundle',
    'codecs',
  ]),
  arrow('learning', { path: registry }, ['tasks', 'training', 'bundle']),
  {
    name: 'serving-without-learning',
    comment: 'The service and its workers load no training code.',
    severity: 'error',
    from: { path: '^src/(main|server|engine|tasks/worker|tasks/[^/]+/serve)' },
    to: { path: '^src/(training|families|graph|evaluation|data)/', reachable: true },
  },
];

const only = (name, module, file) => ({
  name,
  severity: 'error',
  // Scripts in JavaScript stand alone: they make samples and check the repository.
  from: { path: '^(src|scripts)/.*\\.ts$', pathNot: file },
  to: { path: `node_modules/${module}` },
});

module.exports = {
  forbidden: [
    ...arrows,
    {
      name: 'src-without-scripts',
      comment:
        'The service and its commands run without the benchmarks and the tables of the paper.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^scripts/' },
    },
    only('one-importer-of-onnxruntime', 'onnxruntime-node', '^src/runtime/'),
    only('one-importer-of-sharp', 'sharp', '^src/codecs/(images|formats)\\.ts$'),
    only('one-importer-of-protobuf', '(onnx-buf|@bufbuild)', '^src/graph/model\\.ts$'),
    only('one-importer-of-vega', 'vega', '^scripts/plots/render\\.ts$'),
    {
      name: 'no-circles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-circles-of-types',
      comment: 'Outside of src/server, type-only imports count as well.',
      severity: 'error',
      from: { pathNot: '^src/server/' },
      to: { circular: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
