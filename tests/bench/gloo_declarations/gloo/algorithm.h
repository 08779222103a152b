#pragma once
// Nothing of this is mentioned; see gloo/context.h.
