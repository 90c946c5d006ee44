// Package picture draws feature maps, or attention's weights, as one picture:
// maps in a grid, a legend beside them. It knows pixels; it never knows
// arrays, files or flags.
//
// It draws on image and golang.org/x/image rather than gonum.org/v1/plot, whose
// heat maps are vector rectangles with edges between pixels, so that elements
// wouldn't be crisp squares, and which would bring many modules more.
//
// What a picture shows is true in these ways:
//
//   - a map that is smaller than its cell is magnified by a whole factor, so
//     that every element is the same square of pixels;
//   - a map that is larger is averaged, each pixel over the part of the map
//     that it covers, after values beyond the range were clamped to its ends;
//   - a NaN is never lost: a pixel that covers any NaN shows NaN, in a colour
//     that no colour map has.
package picture
