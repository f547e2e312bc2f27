/** What a decoded request says of its exits, for clients that follow them. */
import type { DecodedRequest, ExitEncoder } from '../../engine/types.ts';
import type { TaskRequest } from '../task.ts';

/** Nothing where the client does not follow the exits. @param encode answers as JSON text, sent where it asks for previews */
export const exitsOf = (
  { events }: TaskRequest,
  encode?: ExitEncoder,
): Pick<DecodedRequest, 'exits'> =>
  events ? { exits: events.preview && encode ? { encode } : {} } : {};

/** JSON text in UTF-8. */
export const jsonBytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
