/**
 * Checks deploy/: Prometheus rules and configuration, Helm chart, manifests, compose file, Grafana's provisioning, and the
 * dashboard against a running service. With `--strict` a step that had to be skipped is a failure.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkGrafana, mounts, onHost } from './compose.ts';
import { checkDashboard } from './dashboard.ts';
import { schemaArguments } from './schemas.ts';
import { runSteps, type Step } from './steps.ts';
import { fromDebian, fromGo, isStrict, run } from './tools.ts';

const CHART = 'deploy/helm/stopwise';
const scratch = mkdtempSync(join(tmpdir(), 'stopwise-deploy-'));

/** Values that between them render every template and branch of the chart. */
const variants: readonly (readonly string[])[] = [
  [],
  ['autoscaling.kind=hpa', 'podDisruptionBudget.enabled=false', 'networkPolicy.enabled=false'],
  [
    ...['autoscaling.kind=keda', 'monitoring.enabled=true', 'monitoring.labels.release=prometheus'],
    ...['ingress.enabled=true', 'ingress.className=nginx', 'ingress.tlsSecret=tls'],
    ...['models.claim=models', 'managementPort=9000', 'env.MAX_PIXELS=12000000'],
    ...['secret=stopwise', 'monitoring.token.name=stopwise', 'monitoring.token.key=SCRAPE'],
    ...['imagePullSecrets[0].name=pull', 'nodeSelector.disk=ssd', 'podAnnotations.team=a'],
  ],
];

const template = (helm: string, values: readonly string[]): string =>
  run(helm, [
    ...['template', 'stopwise', CHART, '--kube-version', '1.33.0'],
    ...values.flatMap((value) => ['--set', value]),
  ]);

const steps: Readonly<Record<string, Step>> = {
  'Prometheus rules'() {
    const promtool = fromDebian('promtool', 'prometheus');
    run(promtool, ['check', 'rules', 'deploy/prometheus/rules.yml']);
    run(promtool, ['test', 'rules', 'deploy/prometheus/rules.test.yml']);
    return 'valid, and each alert fires on its cause alone';
  },
  'Helm chart'() {
    const helm = fromGo('helm');
    run(helm, ['lint', '--strict', CHART]);
    for (const values of variants) template(helm, values);
    try {
      template(helm, ['autoscaling.kind=cpu']);
    } catch {
      return `lints, ${variants.length} sets of values render, a wrong one is refused`;
    }
    throw new Error('autoscaling.kind=cpu is rendered, but it is not one of the choices.');
  },
  'Kubernetes manifests'() {
    const kubeconform = fromGo('kubeconform');
    const helm = fromGo('helm');
    const files = variants.map((values, i) => {
      const file = join(scratch, `chart-${i}.yaml`);
      writeFileSync(file, template(helm, values));
      return file;
    });
    const schemas = schemaArguments(join(scratch, 'schemas'));
    const said = run(kubeconform, ['-strict', '-summary', ...schemas, ...files, 'deploy/kserve']);
    const misspelt = join(scratch, 'misspelt.yaml');
    for (const file of [files[0] ?? '', 'deploy/kserve/serving-runtime.yaml']) {
      const text = readFileSync(file, 'utf8');
      writeFileSync(misspelt, text.replace('failureThreshold', 'failureTreshold'));
      const { status } = spawnSync(kubeconform, ['-strict', ...schemas, misspelt]);
      if (status === 0) throw new Error(`A misspelt field in ${file} is not noticed.`);
    }
    return said.trim().split('\n').at(-1) ?? '';
  },
  'Prometheus configuration'() {
    const promtool = fromDebian('promtool', 'prometheus');
    const config = join(scratch, 'prometheus.yml');
    const text = readFileSync('deploy/prometheus/prometheus.yml', 'utf8');
    // Rules are found only where the compose file mounts them.
    writeFileSync(config, onHost(text, mounts('deploy')));
    run(promtool, ['check', 'config', config]);
    return 'valid, and its rules are mounted';
  },
  'compose file'() {
    const mounted = mounts('deploy');
    const composeSpec = fromGo('compose-spec');
    run(composeSpec, ['deploy/compose.yaml']);
    const misspelt = join(scratch, 'compose.yaml');
    const text = readFileSync('deploy/compose.yaml', 'utf8');
    writeFileSync(misspelt, text.replace('mem_limit', 'mem_limt'));
    if (spawnSync(composeSpec, [misspelt]).status === 0)
      throw new Error('A misspelt field is not noticed.');
    return `valid, ${mounted.size} mounted files exist`;
  },
  'Grafana provisioning': () => checkGrafana('deploy'),
  dashboard: () => checkDashboard(scratch),
};

const status = await runSteps(steps, isStrict);
rmSync(scratch, { recursive: true, force: true });
process.exit(status);
