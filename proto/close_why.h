/*
 * Why a connection ended: one table for close frames, logs, counters and the
 * README.
 */
#ifndef PROTO_CLOSE_WHY_H
#define PROTO_CLOSE_WHY_H

#include <stdint.h>

/*	symbol		WebSocket code	label		sentence */
#define CLOSE_TABLE(X)							\
	X(NONE,		0,	"none",		"Still open.")		\
	X(CLIENT,	1000,	"client",	"The client closed it.")	\
	X(APP,		1000,	"app",		"The application closed it.")	\
	X(DONE,		1000,	"done",		"The response is sent and the connection not kept alive.") \
	X(HOME,		1000,	"home",		"Went back to the gateway to wait for its next request.") \
	X(GOING,	1001,	"going",	"The server is shutting down.")	\
	X(RESET,	1006,	"reset",	"The client vanished: connection reset or cut off.") \
	X(PROTOCOL,	1002,	"protocol",	"The client broke the WebSocket protocol.") \
	X(UTF8,		1007,	"utf8",		"The client sent text that is not UTF-8.") \
	X(TOO_BIG,	1009,	"too-big",	"A message was larger than allowed.") \
	X(SLOW,		1008,	"slow",		"The client did not read fast enough.") \
	X(IDLE,		1001,	"idle",		"The client answered no pings.") \
	X(TIMEOUT,	1002,	"timeout",	"A deadline passed: request, handshake or closing.") \
	X(REFUSED,	1008,	"refused",	"The handshake or the request was refused.") \
	X(BAD_HTTP,	1002,	"bad-http",	"The client sent what is not HTTP.") \
	X(NO_MEMORY,	1011,	"no-memory",	"No memory was left for this connection.") \
	X(ERROR,	1011,	"error",	"The application failed.")	\
	X(GROUP_GONE,	1012,	"group-gone",	"Its group ended here; come back.") \
	X(SHARD_DIED,	1006,	"shard-died",	"Its shard died.")		\
	X(NO_PLACE,	1013,	"no-place",	"No shard has room; try again later.") \
	X(LOST,		1012,	"lost",		"It could not be handed over.") \
	X(RATE,		1008,	"rate",		"The client sent more than its route allows.") \
	X(NOT_READY,	1013,	"not-ready",	"What its group knows was not here in time; come back.") \
	X(MISSED,	1013,	"missed",	"A message for it was lost between two processes; come back.") \
	X(CROWDED,	1013,	"crowded",	"Too much was unfinished at once, and this was of the largest; try again later.")

enum close_why {
#define CLOSE_ENUM(sym, code, label, sentence) CLOSE_##sym,
	CLOSE_TABLE(CLOSE_ENUM)
#undef CLOSE_ENUM
	CLOSE_NWHYS
};

/* For any value: what is not in the table reads as "unknown", 1011. */
uint16_t close_code(enum close_why why);
const char *close_label(enum close_why why);
const char *close_sentence(enum close_why why);

#endif
