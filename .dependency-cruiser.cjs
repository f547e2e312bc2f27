/** The house: which room may import from which. A room is a folder of src; what is not listed is refused. */
const rooms = {
  server: ['tasks', 'engine', 'bundle', 'stopping', 'codecs/formats'],
  tasks: ['engine', 'bundle', 'codecs', 'stopping'],
  evaluation: ['tasks', 'engine', 'data', 'stopping', 'bundle', 'codecs'],
  training: ['families', 'graph', 'runtime', 'stopping', 'bundle', 'data', 'codecs'],
  engine: ['runtime', 'bundle', 'stopping'],
  families: ['graph'],
  data: ['codecs'],
  commands: ['training', 'evaluation', 'bundle', 'data', 'codecs', 'stopping', 'runtime'],
  bundle: [],
  graph: [],
  runtime: [],
  stopping: [],
  codecs: [],
  util: [],
};
const ground = ['errors', 'config', 'util'];

const arrows = Object.entries(rooms).map(([room, allowed]) => ({
  name: `${room}-imports`,
  comment: `src/${room} may import ${[...allowed, ...ground].join(', ')} alone.`,
  severity: 'error',
  from: { path: `^src/${room}/` },
  to: { path: '^src/', pathNot: `^src/(${[room, ...allowed, ...ground].join('|')})[./]` },
}));

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
    only('one-importer-of-sharp', 'sharp', '^src/codecs/images\\.ts$'),
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
