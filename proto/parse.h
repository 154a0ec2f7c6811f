/* What every parser of the house returns. */
#ifndef PROTO_PARSE_H
#define PROTO_PARSE_H

enum parse {
	PARSE_MORE,		/* fine so far, needs more bytes */
	PARSE_DONE,		/* one whole thing */
	PARSE_BAD		/* never will be one */
};

#endif
