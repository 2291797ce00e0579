import { InterceptingCall, type Interceptor, status } from "@grpc/grpc-js";

/** A bearer token, or what gives one for each call: tokens that run out are then followed. */
export type TokenSource = string | (() => string | Promise<string>);

/** Sends a bearer token with every call. A call whose token cannot be had is not made. */
export function tokenInterceptor(source: TokenSource): Interceptor {
  const tokenOf = async () => (typeof source === "string" ? source : source());
  return (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start(metadata, listener, next) {
        tokenOf().then(
          (token) => {
            const withToken = metadata.clone();
            withToken.set("authorization", `Bearer ${token}`);
            next(withToken, listener);
          },
          (error: unknown) => {
            const details = `there is no token to send: ${String(error)}`;
            listener.onReceiveStatus({ code: status.UNAUTHENTICATED, details, metadata });
          },
        );
      },
    });
}
