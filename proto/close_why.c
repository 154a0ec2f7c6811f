/* Why a connection ended. */
#include "proto/close_why.h"

enum { ONCLOSE, ONERROR };		/* columns of the table */
enum { AWAIT, LINGER };

static const struct row {
	uint16_t	 code;
	uint8_t		 told, after;
	const char	*label, *sentence;
} rows[CLOSE_NWHYS] = {
#define CLOSE_ROW(sym, code, label, told, after, sentence)		\
	[CLOSE_##sym] = { code, told, after, label, sentence },
	CLOSE_TABLE(CLOSE_ROW)
#undef CLOSE_ROW
};

static const struct row	 unknown = { 1011, ONERROR, LINGER, "unknown",
				    "For no known reason." };

static const struct row *
close_row(enum close_why why)
{
	return ((unsigned)why < CLOSE_NWHYS ? &rows[why] : &unknown);
}

uint16_t
close_code(enum close_why why)
{
	return (close_row(why)->code);
}

const char *
close_label(enum close_why why)
{
	return (close_row(why)->label);
}

const char *
close_sentence(enum close_why why)
{
	return (close_row(why)->sentence);
}

int
close_is_error(enum close_why why)
{
	return (close_row(why)->told == ONERROR);
}

int
close_lingers(enum close_why why)
{
	return (close_row(why)->after == LINGER);
}
