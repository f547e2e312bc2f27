/** A worker's life: it loads the models and serves requests until told to close. */
import { messageOf } from '../../util/message-of.ts';
import type { WorkerLine } from '../transport/handle.ts';
import type { WorkerOptions } from '../transport/messages.ts';
import type { Decoder } from '../types.ts';
import { loadModels, openModel, type Loaded } from './providers.ts';
import { generationOf, Requests } from './requests.ts';
import type { ShelfActions } from './shelf.ts';
import { measurementsOf } from './warm-up.ts';

/** Loads the models and serves requests until told to close. Where no model can be loaded it reports `unfit` and ends. */
export async function serve(
  line: WorkerLine,
  options: WorkerOptions,
  decode: Decoder,
): Promise<void> {
  let loaded: Loaded;
  try {
    loaded = await loadModels(options);
  } catch (error) {
    line.post({ type: 'unfit', reason: messageOf(error) });
    line.close();
    return;
  }
  const { provider, notes, refused, measured } = loaded;
  const refusedNames = new Set(refused.map(({ name }) => name));
  const served = options.bundles.filter(({ manifest }) => !refusedNames.has(manifest.name));
  const open: ShelfActions['open'] = async (bundle, measured) => {
    // What was measured before the start is of the bundles that were there then.
    const known = options.bundles.includes(bundle) ? options.measured : measured && [measured];
    const model = await openModel(bundle, { ...options, provider, measured: known ?? [] });
    if (bundle.manifest.variants)
      line.post({ type: 'measured', ...generationOf(bundle), measured: measurementsOf(model) });
    return model;
  };
  const requests = new Requests(line, loaded.models, served, decode, open, options.shadowShare);
  line.onMessage((message) => requests.receive(message));
  line.post({ type: 'ready', provider, notes, refused, measured });
}
