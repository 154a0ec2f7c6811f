/* Why the gateway itself refused somebody. */
#include "gatewayd/refusal.h"

static const struct {
	const char	*label;
	int		 status;
	unsigned	 after;
	const char	*text;
} refusal_rows[REFUSED_NWHYS] = {
#define REFUSAL_ROW(sym, label, status, after, text)			\
	[REFUSED_##sym] = { label, status, after, text },
	REFUSAL_TABLE(REFUSAL_ROW)
#undef REFUSAL_ROW
};

const char *
refusal_label(enum refusal why)
{
	return (refusal_rows[why].label);
}

int
refusal_status(enum refusal why)
{
	return (refusal_rows[why].status);
}

unsigned
refusal_after(enum refusal why)
{
	return (refusal_rows[why].after);
}

const char *
refusal_text(enum refusal why)
{
	return (refusal_rows[why].text);
}
