// The npm package oidc-provider as a strict issuer: PKCE, refresh tokens that rotate, device codes,
// revocation, JWT access tokens for the resource "urn:kms", which DPoP binds, with a nonce in each proof.
// Arguments: the package, port, lifetime.
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [packages, port, lifetime] = process.argv.slice(2);
const entry = createRequire(`${packages}/`).resolve('oidc-provider');
const { Provider } = await import(pathToFileURL(entry));

const resourceServer = {
  scope: 'kms', audience: 'kms', accessTokenFormat: 'jwt', accessTokenTTL: Number(lifetime),
  jwt: { sign: { alg: 'RS256' } },
};
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: 'kmsctl', application_type: 'native', token_endpoint_auth_method: 'none',
    redirect_uris: ['http://localhost/authorization'], response_types: ['code'],
    grant_types: [
      'authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code',
    ],
  }],
  claims: { openid: ['sub'], email: ['email'] },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  features: {
    devInteractions: { enabled: true },
    deviceFlow: { enabled: true },
    dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true, getResourceServerInfo: () => resourceServer, useGrantedResource: () => true,
    },
  },
});
provider.listen(Number(port), '127.0.0.1', () => console.log('listening'));
