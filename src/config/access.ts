/** Settings of who may reach what: tokens, hosts, origins, path prefix, second port. */
import Type, { type Static } from 'typebox';

/** The environment variables; all are off where absent. */
export const AccessEnvironment = {
  API_TOKENS: Type.String({ default: '' }),
  MANAGEMENT_TOKENS: Type.String({ default: '' }),
  ALLOW_REPOSITORY: Type.Boolean({ default: false }),
  MANAGEMENT_PORT: Type.Integer({ minimum: 0, maximum: 65535, default: 0 }),
  CORS_ORIGINS: Type.String({ default: '' }),
  ALLOWED_HOSTS: Type.String({ default: '' }),
  BASE_PATH: Type.String({ default: '' }),
};

/** Who may reach what. Every empty list means no restriction, except `corsOrigins`: no other origin. */
export interface Access {
  /** Bearer tokens for the API. */
  readonly apiTokens: readonly string[];
  /** Bearer tokens for metrics and documentation; where empty, `apiTokens` count there too. */
  readonly managementTokens: readonly string[];
  /** Whether models may be loaded and unloaded without management tokens. */
  readonly allowRepository: boolean;
  /** Port of metrics and documentation; 0: that of the service. */
  readonly managementPort: number;
  /** Origins whose pages may read answers, or `*`. */
  readonly corsOrigins: readonly string[];
  /** Host names that requests may be for, lower case, without a port. */
  readonly allowedHosts: readonly string[];
  /** Path prefix that clients see, such as `/stopwise`; empty without one. */
  readonly basePath: string;
}

/** Nothing restricted, nothing moved. */
export const OPEN_ACCESS: Access = {
  apiTokens: [],
  managementTokens: [],
  allowRepository: false,
  managementPort: 0,
  corsOrigins: [],
  allowedHosts: [],
  basePath: '',
};

/** Shorter tokens can be guessed. */
const MIN_TOKEN = 16;
/** What RFC 6750 admits as a bearer token. */
const TOKEN = /^[\w.~+/-]+=*$/;

/** @throws a sentence that names the variable and what it may be; tokens are not repeated */
export function readAccess(values: {
  readonly [Name in keyof typeof AccessEnvironment]: Static<(typeof AccessEnvironment)[Name]>;
}): Access {
  return {
    apiTokens: tokens('API_TOKENS', values.API_TOKENS),
    managementTokens: tokens('MANAGEMENT_TOKENS', values.MANAGEMENT_TOKENS),
    allowRepository: values.ALLOW_REPOSITORY,
    managementPort: values.MANAGEMENT_PORT,
    corsOrigins: list(values.CORS_ORIGINS).map(origin),
    allowedHosts: list(values.ALLOWED_HOSTS).map(hostName),
    basePath: basePath(values.BASE_PATH),
  };
}

const list = (text: string): string[] =>
  text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');

function tokens(variable: string, text: string): string[] {
  const given = list(text);
  const wrong = given.findIndex((token) => token.length < MIN_TOKEN || !TOKEN.test(token));
  if (wrong >= 0)
    throw new Error(
      `${variable}: token ${wrong + 1} must have at least ${MIN_TOKEN} letters, digits or -._~+/.`,
    );
  return given;
}

function origin(text: string): string {
  if (text === '*') return text;
  if (!/^https?:/i.test(text) || !URL.canParse(text) || new URL(text).origin !== text.toLowerCase())
    throw new Error(
      `CORS_ORIGINS: ${text} must be * or an origin such as https://example.org:8443, without a path.`,
    );
  return text.toLowerCase();
}

function hostName(text: string): string {
  const isName = /^([a-z0-9._-]+|\[[0-9a-f:.]+\])$/i.test(text);
  if (!isName) throw new Error(`ALLOWED_HOSTS: ${text} must be a host name, without a port.`);
  return text.toLowerCase();
}

function basePath(text: string): string {
  const path = text.trim().replace(/\/+$/, '');
  if (path !== '' && !/^(\/[\w.~-]+)+$/.test(path))
    throw new Error(`BASE_PATH: ${text} must be a path such as /stopwise.`);
  return path;
}
