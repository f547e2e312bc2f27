/** A task: what the service needs to know to take its requests, run them and answer them. One folder each. */
import type { TProperties, TSchema } from 'typebox';
import type { Manifest } from '../bundle/manifest.ts';
import type { Admit, DecodedRequest, TaskFiles } from '../engine/types.ts';
import type { StoppingParameters } from '../stopping/parameters.ts';

/** One row of the service: route, accepted and returned media types, bundle check and decoder. */
export interface Task {
  /** The name in manifests and commands. */
  readonly name: string;
  /** `POST /v1/ROUTE`. */
  readonly route: string;
  readonly summary: string;
  /** The bodies that are taken, by media type (`image/*` is any image). JSON bodies are validated by theirs in the worker. */
  readonly takes: Readonly<Record<string, TSchema>>;
  /** The answers that are given, by media type, in the service's order of preference. */
  readonly gives: Readonly<Record<string, TSchema>>;
  /** Headers of answers that no other task gives, with their descriptions. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Schema of one sample's answer at an exit, for a route whose clients may follow the exits as events. */
  readonly exits?: TSchema;
  /** The fields of a multipart form, where one is taken. */
  readonly form?: FormFields;
  /** Query parameters of its own, beside `model` and the stopping parameters. */
  readonly query: TProperties;
  /** The media type that its query parameters ask for; they count more than the Accept header. */
  readonly wanted?: (query: Options) => string | undefined;
  /** @throws a sentence where a bundle that names this task does not fit it */
  check(manifest: Manifest, read: (file: string) => Promise<Uint8Array>): Promise<void> | void;
  /** Bytes to samples, inside a worker. @throws Problem where the request is at fault */
  decode(request: TaskRequest, context: Context): Promise<DecodedRequest>;
}

/** The values of a task's own query parameters, as their schemas give them. */
export type Options = Readonly<Record<string, string | number | boolean | undefined>>;

/** Field names and size limit of the multipart form that a task takes. */
export interface FormFields {
  /** Fields that hold files, and fields that hold text. */
  readonly files: readonly string[];
  readonly text: readonly string[];
  /** The most files and the most text fields of one form. */
  readonly maxParts: number;
}

/** A part of a multipart form, in the order in which they came. */
export type FormPart =
  | { readonly field: string; readonly file: Uint8Array }
  | { readonly field: string; readonly text: string };

/** A request as it came in: bytes and words, nothing decoded yet. Plain data that can cross to a worker. */
export interface TaskRequest {
  readonly task: string;
  /** The media type without parameters, lower case. */
  readonly contentType: string;
  /** Empty where there are `parts`. */
  readonly body: Uint8Array;
  readonly parts?: readonly FormPart[];
  /** The model asked for in the query; a JSON body may name one as well. */
  readonly model?: string;
  readonly stopping: StoppingParameters;
  /** The media types that the client likes best, all equally; any where absent. */
  readonly accept?: readonly string[];
  /** Where the client follows the exits as events: whether it wants the answer at each. The result is JSON then. */
  readonly events?: { readonly preview: boolean };
  readonly options: Options;
}

/** What a task decodes with. */
export interface Context {
  /** The manifests that are being served, by name. */
  readonly models: ReadonlyMap<string, Manifest>;
  /** Reads a task file of a model, such as `labels.json`. */
  readonly files: TaskFiles;
  readonly settings: TaskSettings;
  /** Aborts when the client leaves: what is not decoded yet is left. */
  readonly signal?: AbortSignal;
  /** Awaited before anything large is decoded, with what its headers tell; without it everything is decoded at once. */
  readonly admit?: Admit;
}

/** Limits of the service that decoders enforce. */
export interface TaskSettings {
  /** Images of more pixels are refused from the header alone. */
  readonly maxPixels: number;
}
