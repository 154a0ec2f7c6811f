/* Why a connection ended. */
#include "proto/close_why.h"

static const struct row {
	uint16_t	 code;
	const char	*label, *sentence;
} rows[CLOSE_NWHYS] = {
#define CLOSE_ROW(sym, code, label, sentence)				\
	[CLOSE_##sym] = { code, label, sentence },
	CLOSE_TABLE(CLOSE_ROW)
#undef CLOSE_ROW
};

static const struct row	 unknown = { 1011, "unknown", "For no known reason." };

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
