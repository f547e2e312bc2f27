/** Loads and unloads models on request, over REST and gRPC, where the settings allow it. */
import type { Access } from '../../config/access.ts';
import type { Engine } from '../../engine/engine.ts';
import { Problem, shortened } from '../../errors.ts';

/** What is done to a model of the repository. */
export type RepositoryAction = 'load' | 'unload';

/** Parameters of the protocol that change nothing here: no model depends on another. */
const IGNORED: Readonly<Record<RepositoryAction, readonly string[]>> = {
  load: [],
  unload: ['unload_dependents'],
};

/**
 * Loads the folder of a model, or unloads the model.
 * @throws Problem `forbidden` where the settings do not allow it, `load-refused` with what is wrong with the bundle
 */
export async function changeRepository(
  { repository }: Pick<Engine, 'repository'>,
  { managementTokens, allowRepository }: Access,
  action: RepositoryAction,
  name: string,
  parameters: unknown = {},
): Promise<object> {
  if (managementTokens.length === 0 && !allowRepository)
    throw new Problem(
      'forbidden',
      `This service does not ${action} models on request; set MANAGEMENT_TOKENS, or ALLOW_REPOSITORY=true.`,
    );
  const [other] = Object.keys(parameters ?? {}).filter((key) => !IGNORED[action].includes(key));
  if (other !== undefined)
    throw new Problem(
      'bad-body',
      `The parameter ${shortened(other)} is not supported: a model is loaded as its folder is.`,
    );
  if (action === 'unload') {
    await repository.unload(name);
    return { name, state: 'UNAVAILABLE' };
  }
  const { version } = await repository.load(name);
  return { name, version, state: 'READY' };
}
