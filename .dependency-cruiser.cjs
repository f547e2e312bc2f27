/** Which folder of src may import from which; what is not listed is refused. */
const rooms = {
  server: ['tasks', 'engine', 'bundle', 'stopping', 'codecs/formats'],
  tasks: [
    ...['engine', 'bundle', 'codecs', 'stopping'],
    ...['training', 'evaluation', 'families', 'graph', 'data', 'runtime'],
  ],
  evaluation: ['engine', 'stopping', 'bundle', 'data', 'tasks/worker-entry'],
  training: ['evaluation', 'families', 'graph', 'runtime', 'bundle', 'data'],
  engine: ['runtime', 'bundle', 'stopping'],
  families: ['graph'],
  data: ['codecs'],
  commands: [
    ...['tasks/recipes', 'tasks/by-name'],
    ...['training', 'evaluation', 'bundle', 'stopping', 'runtime'],
  ],
  bundle: [],
  graph: [],
  runtime: [],
  stopping: [],
  codecs: [],
  util: [],
};
const ground = ['errors', 'config', 'util'];

const arrows = [
  ...Object.entries(rooms).map(([room, allowed]) => ({
    name: `${room}-imports`,
    comment: `src/${room} may import ${[...allowed, ...ground].join(', ')} alone.`,
    severity: 'error',
    from: { path: `^src/${room}/` },
    to: { path: '^src/', pathNot: `^src/(${[room, ...allowed, ...ground].join('|')})[./]` },
  })),
  {
    name: 'serving-without-learning',
    comment: 'The service and its workers load no training code, directly or indirectly.',
    severity: 'error',
    from: {
      path: '^src/(main\\.ts|server/|engine/|tasks/(serving|by-name|worker)\\.ts|tasks/[^/]+/serve\\.ts)',
    },
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
    only('one-importer-of-sharp', 'sharp', '^src/codecs/(images|formats|profiles|jpeg-end)\\.ts$'),
    only('one-importer-of-protobuf', '(onnx-buf|@bufbuild)', '^src/graph/(path-)?model\\.ts$'),
    only('one-importer-of-grpc', '@grpc/(grpc-js|reflection)', '^src/server/grpc/'),
    only(
      'one-importer-of-proto-loader',
      '@grpc/proto-loader',
      '^src/tasks/open-inference/grpc-messages\\.ts$',
    ),
    only('one-importer-of-vega', 'vega', '^scripts/plots/render\\.ts$'),
    {
      name: 'no-cycles',
      comment: 'Type-only imports count as well.',
      severity: 'error',
      from: {},
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
