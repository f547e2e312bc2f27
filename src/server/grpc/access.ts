/** Lets in only calls with a token where tokens are set, as the HTTP routes do. */
import {
  ResponderBuilder,
  ServerInterceptingCall,
  ServerListenerBuilder,
  type ServerInterceptor,
} from '@grpc/grpc-js';
import type { Access } from '../../config/access.ts';
import { Problem } from '../../errors.ts';
import { requireToken } from '../access.ts';
import { toStatus } from './wire.ts';

/** Calls that need no token, as health over HTTP; the text is the path's end. */
const OPEN = /^\/grpc\.health\.|\/Server(Live|Ready)$/;
/** Calls that need a token of management. */
const MANAGEMENT = /\/RepositoryModel(Load|Unload)$/;

/** Checks the metadata `authorization` of each call, before its message is read: status UNAUTHENTICATED. */
export const tokenInterceptor =
  (access: Access): ServerInterceptor =>
  ({ path }, call) => {
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        try {
          const [header] = metadata.get('authorization').map(String);
          if (!OPEN.test(path))
            requireToken(access, MANAGEMENT.test(path) ? 'management' : 'api', header);
          next(metadata);
        } catch (error) {
          if (!(error instanceof Problem)) throw error;
          const { code, details } = toStatus(error, () => undefined);
          call.sendStatus({ code, details });
        }
      })
      .build();
    return new ServerInterceptingCall(
      call,
      new ResponderBuilder().withStart((next) => next(listener)).build(),
    );
  };
