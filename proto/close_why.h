/*
 * Why a connection ended: one table for close frames, callbacks, logs, counters and
 * the README.
 */
#ifndef PROTO_CLOSE_WHY_H
#define PROTO_CLOSE_WHY_H

#include <stdint.h>

/*
 * symbol	WebSocket code	label	the application's callback	afterwards
 *	sentence
 *
 * The callback is onclose or, after an error, onerror.  Afterwards: the client's
 * own close frame is awaited, or nothing more of the client is heard (linger).
 */
#define CLOSE_TABLE(X)							\
	X(NONE, 0, "none", ONCLOSE, AWAIT, \
	    "Still open.") \
	X(CLIENT, 1000, "client", ONCLOSE, AWAIT, \
	    "The client closed it.") \
	X(APP, 1000, "app", ONCLOSE, AWAIT, \
	    "The application closed it.") \
	X(DONE, 1000, "done", ONCLOSE, AWAIT, \
	    "The response is sent and the connection not kept alive.") \
	X(HOME, 1000, "home", ONCLOSE, AWAIT, \
	    "Went back to the gateway to wait for its next request.") \
	X(GOING, 1001, "going", ONCLOSE, AWAIT, \
	    "The server is shutting down.") \
	X(RESET, 1006, "reset", ONERROR, AWAIT, \
	    "The client vanished: connection reset or cut off.") \
	X(PROTOCOL, 1002, "protocol", ONERROR, LINGER, \
	    "The client broke the WebSocket protocol.") \
	X(UTF8, 1007, "utf8", ONERROR, LINGER, \
	    "The client sent text that is not UTF-8.") \
	X(TOO_BIG, 1009, "too-big", ONERROR, LINGER, \
	    "A message was larger than allowed.") \
	X(SLOW, 1008, "slow", ONERROR, LINGER, \
	    "The client did not read fast enough.") \
	X(IDLE, 1001, "idle", ONERROR, LINGER, \
	    "The client answered no pings.") \
	X(TIMEOUT, 1002, "timeout", ONERROR, AWAIT, \
	    "A deadline passed: request, handshake or closing.") \
	X(REFUSED, 1008, "refused", ONCLOSE, AWAIT, \
	    "The handshake or the request was refused.") \
	X(BAD_HTTP, 1002, "bad-http", ONCLOSE, AWAIT, \
	    "The client sent what is not HTTP.") \
	X(NO_MEMORY, 1011, "no-memory", ONERROR, AWAIT, \
	    "No memory was left for this connection.") \
	X(ERROR, 1011, "error", ONERROR, AWAIT, \
	    "The application failed.") \
	X(GROUP_GONE, 1012, "group-gone", ONCLOSE, AWAIT, \
	    "Its group ended here; come back.") \
	X(SHARD_DIED, 1006, "shard-died", ONCLOSE, AWAIT, \
	    "Its shard died.") \
	X(NO_PLACE, 1013, "no-place", ONCLOSE, AWAIT, \
	    "No shard has room; try again later.") \
	X(LOST, 1012, "lost", ONCLOSE, AWAIT, \
	    "It could not be handed over.") \
	X(RATE, 1008, "rate", ONERROR, LINGER, \
	    "The client sent more than its route allows.") \
	X(NOT_READY, 1013, "not-ready", ONCLOSE, AWAIT, \
	    "What its group knows was not here in time; come back.") \
	X(MISSED, 1013, "missed", ONCLOSE, AWAIT, \
	    "A message for it was lost between two processes; come back.") \
	X(CROWDED, 1013, "crowded", ONERROR, LINGER, \
	    "Too much was unfinished at once, and this was of the largest; try again later.") \
	X(OPERATOR, 1008, "operator", ONCLOSE, AWAIT, \
	    "The operator closed it.") \
	X(DRAINED, 1012, "drained", ONCLOSE, AWAIT, \
	    "The operator empties its shard; come back.") \
	X(BAD_DATA, 1002, "bad-data", ONERROR, LINGER, \
	    "What the client sent over raw TCP is wrong to its application.") \
	X(POISON, 1012, "poison", ONCLOSE, AWAIT, \
	    "Its shard died of its message, and so did the one before; come back.")

enum close_why {
#define CLOSE_ENUM(sym, code, label, told, after, sentence) CLOSE_##sym,
	CLOSE_TABLE(CLOSE_ENUM)
#undef CLOSE_ENUM
	CLOSE_NWHYS
};

/* For any value: what is not in the table reads as "unknown", 1011, an error. */
uint16_t close_code(enum close_why why);
const char *close_label(enum close_why why);
const char *close_sentence(enum close_why why);
int	 close_is_error(enum close_why why);	/* onerror, not onclose */
int	 close_lingers(enum close_why why);	/* nothing to wait for from the client */

#endif
